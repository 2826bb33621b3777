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
250 6.75 6.75 6.75
500 12.2 12.2 12.2
750 15.9 15.9 15.9
1000 14.5 14.5 14.5
1250 18.15 18.15 18.15
1500 19.95 19.95 19.95
1750 21.1 21.1 21.1
2000 21.05 21.05 21.05
2250 24.15 24.15 24.15
2500 22.3 22.3 22.3
2750 22.55 22.55 22.55
3000 21.6 21.6 21.6
3250 26.1 26.1 26.1
3500 26.8 26.8 26.8
3750 27.55 27.55 27.55
4000 27.45 27.45 27.45
4250 29.65 29.65 29.65
4500 29.6 29.6 29.6
4750 30.45 30.45 30.45
5000 31.5 31.5 31.5
5250 30.85 30.85 30.85
5500 29.25 29.25 29.25
5750 31.35 31.35 31.35
6000 33.25 33.25 33.25
6250 31.1 31.1 31.1
6500 32.65 32.65 32.65
6750 32.55 32.55 32.55
7000 32.45 32.45 32.45
7250 32.35 32.35 32.35
7500 33.7 33.7 33.7
7750 32.55 32.55 32.55
8000 33.35 33.35 33.35
8250 33.8 33.8 33.8
8500 33.4 33.4 33.4
8750 33.6 33.6 33.6
9000 34.1 34.1 34.1
9250 33.85 33.85 33.85
9375 33.75 33.75 33.75
EOD
$crossing_0 << EOD
9000 34.1
EOD
$line_1 << EOD
250 7.25 7.25 7.25
500 11.8 11.8 11.8
750 12 12 12
1000 15.5 15.5 15.5
1250 17.5 17.5 17.5
1500 15.6 15.6 15.6
1750 19.15 19.15 19.15
2000 22.9 22.9 22.9
2250 22.2 22.2 22.2
2500 26.25 26.25 26.25
2750 24.75 24.75 24.75
3000 23.85 23.85 23.85
3250 27.9 27.9 27.9
3500 29.5 29.5 29.5
3750 30.6 30.6 30.6
4000 31.55 31.55 31.55
4250 30.85 30.85 30.85
4500 32.25 32.25 32.25
4750 29.85 29.85 29.85
5000 32.1 32.1 32.1
5250 31.85 31.85 31.85
5500 34.05 34.05 34.05
5750 32.15 32.15 32.15
6000 35.65 35.65 35.65
6250 32.3 32.3 32.3
6500 34.6 34.6 34.6
6750 33.7 33.7 33.7
7000 35.1 35.1 35.1
7250 35.65 35.65 35.65
7500 34.8 34.8 34.8
7750 35.4 35.4 35.4
8000 35.8 35.8 35.8
8250 35.15 35.15 35.15
8500 35.6 35.6 35.6
8750 35.25 35.25 35.25
9000 34.85 34.85 34.85
9250 36 36 36
9375 35.55 35.55 35.55
EOD
$line_2 << EOD
250 6.9 6.9 6.9
500 10.55 10.55 10.55
750 12.95 12.95 12.95
1000 14.7 14.7 14.7
1250 16.05 16.05 16.05
1500 18.45 18.45 18.45
1750 19.65 19.65 19.65
2000 22.95 22.95 22.95
2250 22.3 22.3 22.3
2500 25.05 25.05 25.05
2750 22.4 22.4 22.4
3000 25.15 25.15 25.15
3250 27.2 27.2 27.2
3500 27.6 27.6 27.6
3750 29.05 29.05 29.05
4000 27.5 27.5 27.5
4250 28.65 28.65 28.65
4500 30.75 30.75 30.75
4750 30.8 30.8 30.8
5000 31.95 31.95 31.95
5250 31.5 31.5 31.5
5500 32.6 32.6 32.6
5750 30.45 30.45 30.45
6000 33.7 33.7 33.7
6250 33.85 33.85 33.85
6500 32.8 32.8 32.8
6750 32.75 32.75 32.75
7000 32.9 32.9 32.9
7250 33.3 33.3 33.3
7500 33.5 33.5 33.5
7750 34.55 34.55 34.55
8000 34.05 34.05 34.05
8250 34.8 34.8 34.8
8500 34.65 34.65 34.65
8750 35.3 35.3 35.3
9000 35.8 35.8 35.8
9250 34.95 34.95 34.95
9375 35.05 35.05 35.05
EOD
$line_3 << EOD
250 6.35 6.35 6.35
500 8.3 8.3 8.3
750 13.85 13.85 13.85
1000 13.45 13.45 13.45
1250 14.95 14.95 14.95
1500 18.25 18.25 18.25
1750 17.1 17.1 17.1
2000 20.45 20.45 20.45
2250 19.3 19.3 19.3
2500 22.7 22.7 22.7
2750 24.85 24.85 24.85
3000 24.6 24.6 24.6
3250 26 26 26
3500 25.3 25.3 25.3
3750 25.8 25.8 25.8
4000 28.95 28.95 28.95
4250 27.1 27.1 27.1
4500 28.3 28.3 28.3
4750 27.9 27.9 27.9
5000 30.2 30.2 30.2
5250 30.25 30.25 30.25
5500 30.55 30.55 30.55
5750 31.8 31.8 31.8
6000 30.55 30.55 30.55
6250 30.9 30.9 30.9
6500 31.3 31.3 31.3
6750 31 31 31
7000 32.2 32.2 32.2
7250 32.65 32.65 32.65
7500 33.55 33.55 33.55
7750 32.65 32.65 32.65
8000 32.2 32.2 32.2
8250 32.7 32.7 32.7
8500 33.05 33.05 33.05
8750 33.95 33.95 33.95
9000 32.85 32.85 32.85
9250 34.1 34.1 34.1
9375 34.05 34.05 34.05
EOD
$line_4 << EOD
250 8.3 8.3 8.3
500 13.45 13.45 13.45
750 12.1 12.1 12.1
1000 17.5 17.5 17.5
1250 16.8 16.8 16.8
1500 18.25 18.25 18.25
1750 20.75 20.75 20.75
2000 23.4 23.4 23.4
2250 23.5 23.5 23.5
2500 23.45 23.45 23.45
2750 25.35 25.35 25.35
3000 26.85 26.85 26.85
3250 26.75 26.75 26.75
3500 28.25 28.25 28.25
3750 26.2 26.2 26.2
4000 28.7 28.7 28.7
4250 28.15 28.15 28.15
4500 28.9 28.9 28.9
4750 26.85 26.85 26.85
5000 29.9 29.9 29.9
5250 30.4 30.4 30.4
5500 30.25 30.25 30.25
5750 29.5 29.5 29.5
6000 30.35 30.35 30.35
6250 28.95 28.95 28.95
6500 30.35 30.35 30.35
6750 30.8 30.8 30.8
7000 30.2 30.2 30.2
7250 30.05 30.05 30.05
7500 30.3 30.3 30.3
7750 30.35 30.35 30.35
8000 31.4 31.4 31.4
8250 30.7 30.7 30.7
8500 30.55 30.55 30.55
8750 30.85 30.85 30.85
9000 31.2 31.2 31.2
9250 30.65 30.65 30.65
9375 30.6 30.6 30.6
EOD
$line_5 << EOD
250 7.4 7.4 7.4
500 8.9 8.9 8.9
750 12.3 12.3 12.3
1000 13 13 13
1250 11.9 11.9 11.9
1500 16.35 16.35 16.35
1750 17.9 17.9 17.9
2000 18.1 18.1 18.1
2250 21.35 21.35 21.35
2500 20.2 20.2 20.2
2750 19.6 19.6 19.6
3000 24.2 24.2 24.2
3250 25.65 25.65 25.65
3500 25.65 25.65 25.65
3750 26.35 26.35 26.35
4000 25.85 25.85 25.85
4250 27.25 27.25 27.25
4500 28.35 28.35 28.35
4750 30.15 30.15 30.15
5000 28.9 28.9 28.9
5250 30.1 30.1 30.1
5500 30.25 30.25 30.25
5750 30.8 30.8 30.8
6000 29.95 29.95 29.95
6250 29.8 29.8 29.8
6500 31.55 31.55 31.55
6750 30.8 30.8 30.8
7000 32.05 32.05 32.05
7250 32.2 32.2 32.2
7500 32.15 32.15 32.15
7750 32.5 32.5 32.5
8000 32.1 32.1 32.1
8250 33.15 33.15 33.15
8500 32.95 32.95 32.95
8750 32.9 32.9 32.9
9000 32.7 32.7 32.7
9250 33.3 33.3 33.3
9375 33.55 33.55 33.55
EOD
set lmargin at screen 0.1000
set rmargin at screen 0.7678
set tmargin at screen 0.9600
set bmargin at screen 0.1320
set xrange [0:9375]
set yrange [0:36]
set xtics ("0" 0, "2,000" 2000, "4,000" 4000, "6,000" 6000, "8,000" 8000)
set format y "%g %%"
set xlabel 'training steps' offset 0, 0.4
set ylabel 'validation accuracy' offset 0.5, 0
set arrow from graph 1.0000, graph 0.9472 to graph 1.0140, graph 0.9179 nohead linewidth 0.6 linecolor rgb "#777777"
set label 'best of larger_init' at graph 1.0180, graph 0.9179 left textcolor rgb "#777777"
set arrow from graph 1.0000, graph 0.9375 to graph 1.0140, graph 0.8357 nohead linewidth 0.6 linecolor rgb "#555555"
set label 'larger_init' at graph 1.0180, graph 0.8357 left textcolor rgb "#555555"
set arrow from graph 1.0000, graph 0.9875 to graph 1.0140, graph 1.0000 nohead linewidth 0.6 linecolor rgb "#0072B2"
set label 'dropout_5' at graph 1.0180, graph 1.0000 left textcolor rgb "#0072B2"
set arrow from graph 1.0000, graph 0.9736 to graph 1.0140, graph 0.9589 nohead linewidth 0.6 linecolor rgb "#D55E00"
set label 'dropout_10' at graph 1.0180, graph 0.9589 left textcolor rgb "#D55E00"
set arrow from graph 1.0000, graph 0.9458 to graph 1.0140, graph 0.8768 nohead linewidth 0.6 linecolor rgb "#009E73"
set label 'per_activation' at graph 1.0180, graph 0.8768 left textcolor rgb "#009E73"
set arrow from graph 1.0000, graph 0.8500 to graph 1.0140, graph 0.7536 nohead linewidth 0.6 linecolor rgb "#AA4499"
set label 'larger_init_dropout_5' at graph 1.0180, graph 0.7536 left textcolor rgb "#AA4499"
set arrow from graph 1.0000, graph 0.9319 to graph 1.0140, graph 0.7947 nohead linewidth 0.6 linecolor rgb "#B8860B"
set label 'per_activation_dropout_10' at graph 1.0180, graph 0.7947 left textcolor rgb "#B8860B"
plot 34.1 with lines dashtype 2 linewidth 1 linecolor rgb "#777777", \
     $line_0 using 1:3:4 with filledcurves fillstyle transparent solid 0.18 noborder linecolor rgb "#555555", \
     $line_1 using 1:3:4 with filledcurves fillstyle transparent solid 0.18 noborder linecolor rgb "#0072B2", \
     $line_2 using 1:3:4 with filledcurves fillstyle transparent solid 0.18 noborder linecolor rgb "#D55E00", \
     $line_3 using 1:3:4 with filledcurves fillstyle transparent solid 0.18 noborder linecolor rgb "#009E73", \
     $line_4 using 1:3:4 with filledcurves fillstyle transparent solid 0.18 noborder linecolor rgb "#AA4499", \
     $line_5 using 1:3:4 with filledcurves fillstyle transparent solid 0.18 noborder linecolor rgb "#B8860B", \
     $line_0 using 1:2 with lines linewidth 2 dashtype 1 linecolor rgb "#555555", \
     $crossing_0 using 1:2 with points pointtype 7 pointsize 0.9 linewidth 1.5 linecolor rgb "#555555", \
     $line_1 using 1:2 with lines linewidth 2 dashtype 1 linecolor rgb "#0072B2", \
     $line_2 using 1:2 with lines linewidth 2 dashtype 1 linecolor rgb "#D55E00", \
     $line_3 using 1:2 with lines linewidth 2 dashtype 1 linecolor rgb "#009E73", \
     $line_4 using 1:2 with lines linewidth 2 dashtype 1 linecolor rgb "#AA4499", \
     $line_5 using 1:2 with lines linewidth 2 dashtype 1 linecolor rgb "#B8860B"
