# usage: gnuplot -c effects.gp svg|png FILE
format = ARG1; file = ARG2; width = 900; height = 290
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
-0.983333333 7 -4.3431625 2.37649583 0x0072B2 7
-3.7 6 -7.05982916 -0.340170835 0xD55E00 7
1.46666667 5 -1.8931625 4.82649583 0x009E73 7
13.1333333 4 9.77350417 16.4931625 0xAA4499 7
1.05 3 -2.30982916 4.40982916 0xB8860B 7
-0.1 2 -3.45982916 3.25982916 0x3D9BD1 7
-1.58333333 1 -4.9431625 1.77649583 0x882255 7
EOD
$speed << EOD
0.740793464 5 0.740793464 0.740793464 0x009E73 6
0.847581109 4 0.572971609 1.12219061 0xAA4499 7
0.753730902 3 0.753730902 0.753730902 0xB8860B 6
EOD
set border 1
set tmargin at screen 0.8897
set bmargin at screen 0.1172
unset grid
set grid xtics linetype 1 linecolor "#E4E4E4" linewidth 1
set multiplot
set title 'best accuracy, percentage points' offset 0, -0.4
set lmargin at screen 0.26488888888888884
set rmargin at screen 0.6081422222222221
set xrange [-8.47300866:17.906342]
set yrange [0.4:7.6]
set xtics autofreq
set ytics ('leave_out_learning_rate' 7, 'leave_out_dropout' 6, 'leave_out_l2' 5, 'leave_out_decay' 4, 'leave_out_local_response_norm' 3, 'leave_out_shuffling' 2, 'leave_out_distortion' 1) scale 0
set arrow 1 from 0, graph 0 to 0, graph 1 nohead dashtype 2 linewidth 1 linecolor rgb "#777777" back
plot $accuracy using 1:2:3:4:5 with xerrorbars pointtype 0 linewidth 2 linecolor rgb variable, \
     $accuracy using 1:2:6:5 with points pointsize 1 pointtype variable linecolor rgb variable
unset label
set label 'not reached in 2 of 3' at graph 0.5, first 7 center textcolor rgb "#666666"
set label 'not reached in 3 of 3' at graph 0.5, first 6 center textcolor rgb "#666666"
set label 'not reached in 1 of 3' at graph 0.5, first 2 center textcolor rgb "#666666"
set label 'not reached in 3 of 3' at graph 0.5, first 1 center textcolor rgb "#666666"
set title 'times fewer steps to the best of bn_x5' offset 0, -0.4
set lmargin at screen 0.6481422222222222
set rmargin at screen 0.98
set xrange [-0.279331437:1.20152205]
set yrange [0.4:7.6]
set xtics ("1" 0.000000, "2" 0.693147)
set ytics ("" 1)
set arrow 1 from 0, graph 0 to 0, graph 1 nohead dashtype 2 linewidth 1 linecolor rgb "#777777" back
plot $speed using 1:2:3:4:5 with xerrorbars pointtype 0 linewidth 2 linecolor rgb variable, \
     $speed using 1:2:6:5 with points pointsize 1 pointtype variable linecolor rgb variable
unset label
unset multiplot
