# usage: gnuplot -c accuracy.gp svg|png FILE
format = ARG1; file = ARG2; width = 900; height = 500
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
$line_0 << EOD
250 7.01666667 5.8 8.75
500 8.86666667 8.55 9.25
750 12.4833333 11.5 13.4
1000 14.5666667 12.85 16.3
1250 15.4833333 11.95 17.5
1500 16.9 14.95 18.55
1750 19.3833333 18.8 20.5
2000 21.2 19.75 23
2250 22.8666667 19.15 25.6
2500 23.55 21.1 26.15
2750 24.1666667 20.65 26.4
3000 25.4833333 23.4 26.7
3250 25.6666667 24.1 27.25
3500 26.6 25.65 28.05
3750 25.7833333 24.35 26.9
4000 27.3333333 26 29.45
4250 26.6 25.35 28
4500 27.3333333 25.85 28.75
4750 27.0333333 25.6 28.2
5000 27.1666667 26 28.55
5250 27.7833333 26.45 29.5
5500 27.3 26 28.55
5750 27.75 26.75 28.95
6000 27.75 26.7 29.1
6250 28.0166667 26.85 29.45
6500 27.5833333 26.6 28.85
6750 27.95 27.1 29.15
7000 27.7833333 26.7 29.35
7250 27.9 26.8 29.5
7500 27.8333333 26.85 29.2
7750 28.0166667 26.9 29.55
8000 28.1166667 26.95 30.05
8250 27.95 26.85 29.6
8500 27.9666667 26.75 29.75
8750 27.9 26.6 29.65
9000 28 26.6 29.85
9250 27.75 26.75 29.25
9375 27.9833333 26.95 29.6
EOD
$crossing_0 << EOD
6962.38325 28.3
EOD
$line_1 << EOD
250 4.15 3.8 4.65
500 4.55 3.6 5.5
750 5.48333333 4.3 6.65
1000 6.36666667 4.7 7.95
1250 7.65 6.6 8.7
1500 8.51666667 6.25 10.25
1750 8.7 6.6 9.95
2000 9.03333333 8.1 10.5
2250 10.1166667 8.35 12.25
2500 10.9166667 9.05 11.9
2750 12.5833333 9.1 14.7
3000 12.9166667 11.55 14.4
3250 14.2 10.6 17
3500 14.4833333 13 15.8
3750 18.4 17.35 20.35
4000 18.4333333 16.6 20.65
4250 20.9 19.4 23.3
4500 19.2 17.65 21.2
4750 21.3333333 18.3 24.55
5000 22.4333333 20.1 25.45
5250 22.35 20.75 23.95
5500 22.95 21.35 25.85
5750 22.9666667 21.35 26.15
6000 24.5666667 22.8 27.1
6250 24.5 22 27.5
6500 25.1166667 23.35 26.7
6750 25.8333333 23.6 27.9
7000 25.6833333 23.75 27.4
7250 26.7166667 24.9 29.15
7500 27.2333333 26.35 28.25
7750 27 25.4 28.9
8000 27.15 25.75 28.35
8250 28.2833333 26.85 31.1
8500 27.85 25.9 30.95
8750 29.3333333 27.95 31.85
9000 28.1333333 26.25 31.1
9250 29.2 27.25 32.4
9375 29.3333333 27.85 31.85
EOD
set lmargin at screen 0.1000
set rmargin at screen 0.7431
set tmargin at screen 0.9600
set bmargin at screen 0.1320
set xrange [0:9375]
set yrange [0:32.4]
set xtics ("0" 0, "2,000" 2000, "4,000" 4000, "6,000" 6000, "8,000" 8000)
set format y "%g %%"
set xlabel 'training steps' offset 0, 0.4
set ylabel 'validation accuracy' offset 0.5, 0
set label 'best of bn_x30-rate_of_paper' at graph 1.0180, graph 0.8808 left textcolor rgb "#777777"
set arrow from graph 1.0000, graph 0.8637 to graph 1.0140, graph 0.8398 nohead linewidth 0.6 linecolor rgb "#555555"
set label 'bn_x30-rate_of_paper' at graph 1.0180, graph 0.8398 left textcolor rgb "#555555"
set arrow from graph 1.0000, graph 0.9053 to graph 1.0140, graph 0.9219 nohead linewidth 0.6 linecolor rgb "#0072B2"
set label 'bn_x30-slower_decay' at graph 1.0180, graph 0.9219 left textcolor rgb "#0072B2"
plot 28.3 with lines dashtype 2 linewidth 1 linecolor rgb "#777777", \
     $line_0 using 1:3:4 with filledcurves fillstyle transparent solid 0.18 noborder linecolor rgb "#555555", \
     $line_1 using 1:3:4 with filledcurves fillstyle transparent solid 0.18 noborder linecolor rgb "#0072B2", \
     $line_0 using 1:2 with lines linewidth 2 dashtype 1 linecolor rgb "#555555", \
     $crossing_0 using 1:2 with points pointtype 7 pointsize 0.9 linewidth 1.5 linecolor rgb "#555555", \
     $line_1 using 1:2 with lines linewidth 2 dashtype 1 linecolor rgb "#0072B2"
