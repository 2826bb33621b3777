# usage: gnuplot -c effects.gp svg|png FILE
format = ARG1; file = ARG2; width = 900; height = 260
# The look of every figure. A script sets `format` (svg or png), `file`, and `width` and `height` in points, then loads this.
set encoding utf8
fonts = "Liberation Sans,Arial,Helvetica,sans-serif"
if (format eq "svg") {
  set terminal svg size width, height font fonts.",14" background "white" linewidth 1
} else {
  # Twice the points: sharp on any screen. Type is measured in points of 4/3 pixels here.
  set terminal pngcairo size 2 * width, 2 * height font "Liberation Sans,14" fontscale 1.5 linewidth 2 pointscale 2
}
set output file

# Okabe and Ito's colours, told apart by every kind of sight.
plain_colour = "#555555"
normalised_colour = "#0072B2"

set border 3 linecolor "#444444" linewidth 1
set tics nomirror out scale 0.6 textcolor "#222222"
set grid ytics linetype 1 linecolor "#E4E4E4" linewidth 1
set key off

set termoption noenhanced
$accuracy << EOD
-2.48333333 6 -4.88878452 -0.0778821431 0x0072B2 7
4.06666667 5 1.66121548 6.47211786 0xD55E00 7
10 4 7.59454881 12.4054512 0x009E73 7
10.5333333 3 8.12788214 12.9387845 0xAA4499 7
2.31666667 2 -0.0887845236 4.72211786 0xB8860B 7
EOD
$speed << EOD
0.938111047 5 0.46938564 1.40683645 0xD55E00 7
1.0687561 4 0.600030694 1.53748151 0x009E73 7
1.36723647 3 0.898511059 1.83596187 0xAA4499 7
0.171599594 2 0.171599594 0.171599594 0xB8860B 6
EOD
set border 1
set tmargin at screen 0.8769
set bmargin at screen 0.1308
unset grid
set grid xtics linetype 1 linecolor "#E4E4E4" linewidth 1
set multiplot
set label 'did not learn' at graph 0.5, first 1 center textcolor rgb "#666666"
set title 'best accuracy, percentage points' offset 0, -0.4
set lmargin at screen 0.16355555555555554
set rmargin at screen 0.5554488888888889
set xrange [-5.95843867:14.0084387]
set yrange [0.4:6.6]
set xtics autofreq
set ytics ('bn_baseline' 6, 'bn_x5' 5, 'bn_x30' 4, 'bn_x5_sigmoid' 3, 'inception_x5' 2, 'inception_sigmoid' 1) scale 0
set arrow 1 from 0, graph 0 to 0, graph 1 nohead dashtype 2 linewidth 1 linecolor rgb "#777777" back
plot $accuracy using 1:2:3:4:5 with xerrorbars pointtype 0 linewidth 2 linecolor rgb variable, \
     $accuracy using 1:2:6:5 with points pointsize 1 pointtype variable linecolor rgb variable
unset label
set label 'not reached in 3 of 3' at graph 0.5, first 6 center textcolor rgb "#666666"
set label 'not reached in 3 of 3' at graph 0.5, first 1 center textcolor rgb "#666666"
set title 'times fewer steps to the best of inception' offset 0, -0.4
set lmargin at screen 0.5954488888888889
set rmargin at screen 0.98
set xrange [-0.322157712:1.95811959]
set yrange [0.4:6.6]
set xtics ("1" 0.000000, "2" 0.693147, "5" 1.609438)
set ytics ("" 1)
set arrow 1 from 0, graph 0 to 0, graph 1 nohead dashtype 2 linewidth 1 linecolor rgb "#777777" back
plot $speed using 1:2:3:4:5 with xerrorbars pointtype 0 linewidth 2 linecolor rgb variable, \
     $speed using 1:2:6:5 with points pointsize 1 pointtype variable linecolor rgb variable
unset label
unset multiplot
