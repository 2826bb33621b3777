# usage: gnuplot -c effects.gp svg|png FILE
format = ARG1; file = ARG2; width = 900; height = 110
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
1.33333333 1 -7.62708374 10.2937504 0x0072B2 7
EOD
set border 1
set tmargin at screen 0.7091
set bmargin at screen 0.3091
unset grid
set grid xtics linetype 1 linecolor "#E4E4E4" linewidth 1
set multiplot
set title 'best accuracy, percentage points' offset 0, -0.4
set lmargin at screen 0.18044444444444444
set rmargin at screen 0.5642311111111111
set xrange [-8.70233379:11.3690005]
set yrange [0.4:1.6]
set xtics autofreq
set ytics ('bn_x30-slower_decay' 1) scale 0
set arrow 1 from 0, graph 0 to 0, graph 1 nohead dashtype 2 linewidth 1 linecolor rgb "#777777" back
plot $accuracy using 1:2:3:4:5 with xerrorbars pointtype 0 linewidth 2 linecolor rgb variable, \
     $accuracy using 1:2:6:5 with points pointsize 1 pointtype variable linecolor rgb variable
unset label
set label 'not reached in 1 of 3' at graph 0.5, first 1 center textcolor rgb "#666666"
set title 'times fewer steps to the best of bn_x30-rate_of_paper' offset 0, -0.4
set lmargin at screen 0.6042311111111112
set rmargin at screen 0.98
set xrange [-0.253588831:0.746736011]
set yrange [0.4:1.6]
set xtics ("1" 0.000000, "2" 0.693147)
set ytics ("" 1)
set arrow 1 from 0, graph 0 to 0, graph 1 nohead dashtype 2 linewidth 1 linecolor rgb "#777777" back
plot NaN
unset label
unset multiplot
