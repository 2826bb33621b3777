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
250 4.31 3.9 5.05
500 5.78 3.5 7.15
750 6.89 5.1 8.4
1000 7.86 6.15 9.35
1250 9.41 7.9 11.8
1500 10.65 9.25 12
1750 11.92 10.65 13.2
2000 12.27 10.5 13.45
2250 13.25 11.7 14.9
2500 14.99 13.25 16.45
2750 15.02 13.15 16.4
3000 15.97 14.5 18.4
3250 16.14 13.7 17.4
3500 17.23 16 18.45
3750 18.06 16.55 19.1
4000 17.93 15.85 19.9
4250 19.69 19.05 20.45
4500 20.12 19.6 21.1
4750 19.79 16.5 21.45
5000 21.62 20.8 22.35
5250 21.54 20.85 21.9
5500 20.29 19.3 21.05
5750 22.44 20.6 23.75
6000 22.34 21.25 22.9
6250 23.82 22.5 25.3
6500 24.22 22.8 24.9
6750 23.89 20.35 26.05
7000 24.74 23.1 26.45
7250 24.47 22.15 27.05
7500 24.55 23.75 25.5
7750 24.83 22.15 26.55
8000 26.58 24.8 28.15
8250 25.24 23 26.35
8500 26.3 23.25 29.8
8750 26.96 26 28.25
9000 26.88 25.45 28.05
9250 27.59 25.7 30
9375 28.64 27.85 29.35
EOD
$crossing_0 << EOD
9093.87843 28.93
EOD
$line_1 << EOD
250 8.03 5.75 9
500 9.23 7.6 10.45
750 10.89 6.35 12.6
1000 12.17 10.8 13.8
1250 13.09 12.05 13.8
1500 13.82 11.95 16.5
1750 16.4 13.8 18.9
2000 16.07 13.3 18.15
2250 18.3 17.15 20.15
2500 17.29 15.55 20.85
2750 19.06 16.3 22.3
3000 19.62 18.05 22.5
3250 21.21 19.2 24.15
3500 21.93 21.3 22.5
3750 22.79 20.65 25
4000 24.18 22.55 25.3
4250 24.06 22.5 25.8
4500 23.61 21.35 27.15
4750 25.01 23 26.85
5000 25.11 23.1 27.4
5250 25.8 23.4 27.95
5500 25.9 23.35 27.45
5750 26.88 25.1 29.05
6000 27.68 26.15 29.7
6250 28.13 27.1 29.35
6500 28.37 26.15 30.9
6750 28.1 25.05 29.95
7000 28.7 26.65 30.45
7250 29.47 27.95 32.8
7500 29.91 27 31.7
7750 30.16 29.2 31.15
8000 29.44 28.85 29.95
8250 31.16 30.4 31.8
8500 30.32 28.65 32.3
8750 30.97 30 31.65
9000 31.01 27.65 33.25
9250 30.69 28.75 34.5
9375 32.37 29.8 34.85
EOD
$crossing_1 << EOD
6378.3871 28.93
EOD
$line_2 << EOD
250 6.92 5.9 8.55
500 9.52 7.8 11.9
750 11.15 9.9 12.15
1000 13.23 11.55 15.45
1250 15.64 14.05 17.45
1500 16.76 15.7 18.1
1750 17.42 15.45 19.2
2000 19.75 18.8 20.6
2250 20.81 19.35 22.15
2500 21.99 20.05 23.8
2750 22.16 21 23.2
3000 23.8 22.25 25.6
3250 23.83 22.5 25.25
3500 24.58 22.8 26.4
3750 24.78 23 25.95
4000 25.51 23.75 27.2
4250 25.16 23 26.75
4500 25.45 23.7 26.8
4750 25.71 23.55 26.9
5000 25.55 24.05 26.9
5250 25.55 24.15 26.85
5500 25.58 23.95 26.75
5750 25.88 24.4 27.05
6000 25.78 24.15 26.85
6250 25.83 24.45 26.75
6500 25.87 24.5 26.75
6750 25.98 24.45 27
7000 25.93 24.35 26.85
7250 25.97 24.25 27.1
7500 25.93 24.5 26.9
7750 25.94 24.3 26.85
8000 25.9 24.45 27.05
8250 26.1 24.6 27.3
8500 25.82 24.25 26.9
8750 25.84 24.5 26.85
9000 26.03 24.55 27
9250 25.86 24.5 26.95
9375 25.96 24.5 27.35
EOD
$line_3 << EOD
250 3.88 2.8 4.65
500 5.07 3.85 6.9
750 5.79 4.85 6.95
1000 6.65 4.4 8.75
1250 7.39 5.3 9.35
1500 8.34 6.05 11.3
1750 8.73 5.3 13
2000 9.47 5.6 14
2250 10.26 6.95 14.9
2500 10.79 7.9 15.65
2750 11.06 8.45 15.45
3000 11.72 8 16.95
3250 12.08 7.8 17.75
3500 12.66 8.85 18.15
3750 12.94 9.3 18.8
4000 13.18 8.75 19.2
4250 13.22 9.2 18.7
4500 13.71 9.65 19.2
4750 13.82 10.05 20.05
5000 13.67 9.75 19.85
5250 14.18 10.35 20.15
5500 14.23 10.3 20.65
5750 14.33 10.4 20.3
6000 14.33 10.45 20.6
6250 14.47 10.8 20.45
6500 14.39 10.3 20.7
6750 14.53 10.35 21.1
7000 14.49 10.35 20.5
7250 14.55 10.4 20.75
7500 14.66 10.5 20.85
7750 14.62 10.6 20.75
8000 14.64 10.5 20.6
8250 14.7 10.55 20.75
8500 14.68 10.6 20.85
8750 14.57 10.5 20.95
9000 14.68 10.55 21
9250 14.64 10.65 20.8
9375 14.63 10.7 20.85
EOD
$line_4 << EOD
250 5.51 3.75 7.6
500 7.56 4.9 13.15
750 11.07 6.55 19.35
1000 15.48 12.95 17.2
1250 15.13 10.55 18.6
1500 20.55 17.2 24
1750 20.99 17 24.95
2000 22.94 19.2 26.1
2250 23.9 17.5 26.85
2500 25.92 23.75 28.95
2750 27.29 22.05 31.35
3000 28.2 24.55 31.1
3250 30.41 26.75 32.65
3500 30.93 28.8 32.85
3750 32.14 31.55 32.65
4000 32.84 28.35 35.2
4250 32.37 30.4 34.05
4500 33.55 30.5 35.7
4750 33.9 33.1 34.7
5000 34.05 33.75 34.65
5250 34.04 33.3 34.35
5500 34.54 33.75 35.3
5750 34.43 33.45 35.5
6000 34.76 33.25 35.85
6250 34.55 33.95 35.45
6500 34.63 34 35.35
6750 34.9 33.85 36.15
7000 34.67 33.4 35.85
7250 34.59 33.8 35.85
7500 34.54 33.55 35.65
7750 34.63 33.5 35.85
8000 34.95 33.45 36.45
8250 34.78 33.3 36.2
8500 34.65 33.45 35.9
8750 34.69 33.55 35.8
9000 34.65 33.95 35.75
9250 34.79 33.45 36.1
9375 34.71 33.55 36.05
EOD
$crossing_4 << EOD
2862.43118 28.93
EOD
$line_5 << EOD
250 2.88 2.5 3.65
500 2.5 2.5 2.5
750 2.74 2.5 3.7
1000 2.75 2.5 3.75
1250 2.93 2.5 4.65
1500 3.01 2.5 5.05
1750 2.63 2.5 3.15
2000 3.15 2.5 5.75
2250 3.17 2.5 5.85
2500 3.18 2.5 5.9
2750 3.25 2.5 6.25
3000 3.45 2.5 7.25
3250 3.68 2.5 8.4
3500 3.62 2.5 8.1
3750 3.84 2.5 9.2
4000 3.75 2.5 8.75
4250 4.16 2.5 10.8
4500 4.05 2.5 10.25
4750 4.16 2.5 10.8
5000 3.78 2.5 8.9
5250 3.83 2.5 9.15
5500 4.77 2.5 13.85
5750 4.5 2.5 12.5
6000 4.99 2.5 14.95
6250 4.66 2.5 13.3
6500 4.98 2.5 14.9
6750 5.2 2.5 16
7000 4.94 2.5 14.7
7250 5.02 2.5 15.1
7500 5.56 2.5 17.8
7750 4.64 2.5 13.2
8000 5.65 2.5 18.25
8250 5.54 2.5 17.7
8500 5.33 2.5 16.65
8750 5.64 2.5 18.2
9000 5.72 2.5 18.6
9250 5.89 2.5 19.45
9375 5.94 2.5 19.7
EOD
$line_6 << EOD
250 2.5 2.5 2.5
500 2.5 2.5 2.5
750 2.5 2.5 2.5
1000 2.5 2.5 2.5
1250 2.5 2.5 2.5
1500 2.5 2.5 2.5
1750 2.5 2.5 2.5
2000 2.5 2.5 2.5
2250 2.5 2.5 2.5
2500 2.5 2.5 2.5
2750 2.5 2.5 2.5
3000 2.5 2.5 2.5
3250 2.5 2.5 2.5
3500 2.5 2.5 2.5
3750 2.5 2.5 2.5
4000 2.5 2.5 2.5
4250 2.5 2.5 2.5
4500 2.5 2.5 2.5
4750 2.5 2.5 2.5
5000 2.5 2.5 2.5
5250 2.5 2.5 2.5
5500 2.5 2.5 2.5
5750 2.5 2.5 2.5
6000 2.5 2.5 2.5
6250 2.5 2.5 2.5
6500 2.5 2.5 2.5
6750 2.5 2.5 2.5
7000 2.5 2.5 2.5
7250 2.5 2.5 2.5
7500 2.5 2.35 2.65
7750 2.5 2.5 2.5
8000 2.5 2.5 2.5
8250 2.5 2.5 2.5
8500 2.5 2.5 2.5
8750 2.5 2.5 2.5
9000 2.5 2.5 2.5
9250 2.41 2.05 2.5
9375 2.5 2.5 2.5
EOD
set lmargin at screen 0.1000
set rmargin at screen 0.8336
set tmargin at screen 0.9600
set bmargin at screen 0.1320
set xrange [0:9375]
set yrange [0:36.45]
set xtics ("0" 0, "2,000" 2000, "4,000" 4000, "6,000" 6000, "8,000" 8000)
set format y "%g %%"
set xlabel 'training steps' offset 0, 0.4
set ylabel 'validation accuracy' offset 0.5, 0
set label '1.4×' at 6378.3871, 28.93 center offset 0, 0.9 front textcolor rgb "#0072B2"
set label '3.2×' at 2862.43118, 28.93 center offset 0, 0.9 front textcolor rgb "#AA4499"
set arrow from graph 1.0000, graph 0.7937 to graph 1.0140, graph 0.8102 nohead linewidth 0.6 linecolor rgb "#777777"
set label 'best of inception' at graph 1.0180, graph 0.8102 left textcolor rgb "#777777"
set arrow from graph 1.0000, graph 0.7857 to graph 1.0140, graph 0.7692 nohead linewidth 0.6 linecolor rgb "#555555"
set label 'inception' at graph 1.0180, graph 0.7692 left textcolor rgb "#555555"
set label 'bn_baseline' at graph 1.0180, graph 0.8881 left textcolor rgb "#0072B2"
set label 'bn_x5' at graph 1.0180, graph 0.7122 left textcolor rgb "#D55E00"
set label 'bn_x30' at graph 1.0180, graph 0.4014 left textcolor rgb "#009E73"
set label 'bn_x5_sigmoid' at graph 1.0180, graph 0.9523 left textcolor rgb "#AA4499"
set label 'inception_x5' at graph 1.0180, graph 0.1630 left textcolor rgb "#B8860B"
set label 'inception_sigmoid' at graph 1.0180, graph 0.0686 left textcolor rgb "#3D9BD1"
plot 28.93 with lines dashtype 2 linewidth 1 linecolor rgb "#777777", \
     $line_0 using 1:3:4 with filledcurves fillstyle transparent solid 0.18 noborder linecolor rgb "#555555", \
     $line_1 using 1:3:4 with filledcurves fillstyle transparent solid 0.18 noborder linecolor rgb "#0072B2", \
     $line_2 using 1:3:4 with filledcurves fillstyle transparent solid 0.18 noborder linecolor rgb "#D55E00", \
     $line_3 using 1:3:4 with filledcurves fillstyle transparent solid 0.18 noborder linecolor rgb "#009E73", \
     $line_4 using 1:3:4 with filledcurves fillstyle transparent solid 0.18 noborder linecolor rgb "#AA4499", \
     $line_5 using 1:3:4 with filledcurves fillstyle transparent solid 0.18 noborder linecolor rgb "#B8860B", \
     $line_6 using 1:3:4 with filledcurves fillstyle transparent solid 0.18 noborder linecolor rgb "#3D9BD1", \
     $line_0 using 1:2 with lines linewidth 2 dashtype 1 linecolor rgb "#555555", \
     $crossing_0 using 1:2 with points pointtype 7 pointsize 0.9 linewidth 1.5 linecolor rgb "#555555", \
     $line_1 using 1:2 with lines linewidth 2 dashtype 1 linecolor rgb "#0072B2", \
     $crossing_1 using 1:2 with points pointtype 7 pointsize 0.9 linewidth 1.5 linecolor rgb "#0072B2", \
     $line_2 using 1:2 with lines linewidth 2 dashtype 1 linecolor rgb "#D55E00", \
     $line_3 using 1:2 with lines linewidth 2 dashtype 1 linecolor rgb "#009E73", \
     $line_4 using 1:2 with lines linewidth 2 dashtype 1 linecolor rgb "#AA4499", \
     $crossing_4 using 1:2 with points pointtype 7 pointsize 0.9 linewidth 1.5 linecolor rgb "#AA4499", \
     $line_5 using 1:2 with lines linewidth 2 dashtype 1 linecolor rgb "#B8860B", \
     $line_6 using 1:2 with lines linewidth 2 dashtype 1 linecolor rgb "#3D9BD1"
