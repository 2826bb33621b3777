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
4.17 6 1.93967536 6.40032464 0x0072B2 7
-2.65 5 -4.88032464 -0.41967536 0xD55E00 7
-14.07 4 -21.6088451 -6.5311549 0x009E73 7
6.41 3 4.17967536 8.64032464 0xAA4499 7
-22.84 2 -37.6590716 -8.02092835 0xB8860B 7
EOD
$speed << EOD
0.354686227 6 0.180137664 0.52923479 0x0072B2 7
1.15593016 3 1.00387883 1.30798149 0xAA4499 7
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
set xrange [-40.4370354:11.4182884]
set yrange [0.4:6.6]
set xtics autofreq
set ytics ('bn_baseline' 6, 'bn_x5' 5, 'bn_x30' 4, 'bn_x5_sigmoid' 3, 'inception_x5' 2, 'inception_sigmoid' 1) scale 0
set arrow 1 from 0, graph 0 to 0, graph 1 nohead dashtype 2 linewidth 1 linecolor rgb "#777777" back
plot $accuracy using 1:2:3:4:5 with xerrorbars pointtype 0 linewidth 2 linecolor rgb variable, \
     $accuracy using 1:2:6:5 with points pointsize 1 pointtype variable linecolor rgb variable
unset label
set label 'not reached in 5 of 5' at graph 0.5, first 5 center textcolor rgb "#666666"
set label 'not reached in 5 of 5' at graph 0.5, first 4 center textcolor rgb "#666666"
set label 'not reached in 5 of 5' at graph 0.5, first 2 center textcolor rgb "#666666"
set label 'not reached in 5 of 5' at graph 0.5, first 1 center textcolor rgb "#666666"
set title 'times fewer steps to the best of inception' offset 0, -0.4
set lmargin at screen 0.5954488888888889
set rmargin at screen 0.98
set xrange [-0.29047889:1.39846038]
set yrange [0.4:6.6]
set xtics ("1" 0.000000, "2" 0.693147)
set ytics ("" 1)
set arrow 1 from 0, graph 0 to 0, graph 1 nohead dashtype 2 linewidth 1 linecolor rgb "#777777" back
plot $speed using 1:2:3:4:5 with xerrorbars pointtype 0 linewidth 2 linecolor rgb variable, \
     $speed using 1:2:6:5 with points pointsize 1 pointtype variable linecolor rgb variable
unset label
unset multiplot
