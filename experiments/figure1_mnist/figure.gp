# Figure 1 of the paper. (a) test accuracy against steps: mean over the seeds, the band from the lowest to the highest;
# (b, c) the 15th, 50th and 85th percentiles of one last-hidden-layer sigmoid's input, without and with normalisation.
#   usage: gnuplot -c figure.gp svg|png FILE DATA_FOLDER
format = ARG1; file = ARG2; width = 1080; height = 330
data = ARG3
load "experiments/plots/style.gp"

stats data."/accuracy_batch_norm.tsv" using 1 nooutput
last_step = STATS_max
# One scale for (b) and (c): how far the percentiles wander is the finding.
stats data."/probe_plain.tsv" using 2:4 nooutput
lowest = STATS_min_x; highest = STATS_max_y
stats data."/probe_batch_norm.tsv" using 2:4 nooutput
if (STATS_min_x < lowest) { lowest = STATS_min_x }
if (STATS_max_y > highest) { highest = STATS_max_y }
bound = 1 + (highest > -lowest ? highest : -lowest)
if (bound < 3) { bound = 3 }

set xrange [0:last_step]
set xtics last_step / 5.0
set format x "%.0s%c"
set xlabel "training steps"
set multiplot layout 1, 3 margins 0.055, 0.975, 0.215, 0.89 spacing 0.06

set title "(a) test accuracy" offset 0, -0.3
set yrange [0.7:1]
set ytics 0.1
set format y "%.1f"
set label 1 "with BN" at graph 0.97, 0.24 right textcolor rgb normalised_colour
set label 2 "without BN" at graph 0.97, 0.12 right textcolor rgb plain_colour
plot for [net in "plain batch_norm"] data."/accuracy_".net.".tsv" using 1:3:4 with filledcurves \
       fillstyle transparent solid 0.25 noborder linecolor rgb (net eq "plain" ? plain_colour : normalised_colour), \
     for [net in "plain batch_norm"] data."/accuracy_".net.".tsv" using 1:2 with lines linewidth 2 \
       linecolor rgb (net eq "plain" ? plain_colour : normalised_colour)

unset label
set yrange [-floor(bound):floor(bound)]
tic = bound < 6 ? 2 : 5
set ytics tic
set format y "%.0f"
do for [net in "plain batch_norm"] {
  colour = net eq "plain" ? plain_colour : normalised_colour
  set title net eq "plain" ? "(b) input to a sigmoid, without BN" : "(c) input to a sigmoid, with BN" offset 0, -0.3
  probe = data."/probe_".net.".tsv"
  if (net eq "batch_norm") {  # where they stand apart from the start
    low = 0; middle = 0; high = 0
    stats probe using (low = $2, middle = $3, high = $4, 0) nooutput
    set label 1 "85th percentile" at last_step, high right offset 0, 0.7 textcolor rgb colour
    set label 2 "50th" at last_step, middle right offset 0, 0.7 textcolor rgb colour
    set label 3 "15th" at last_step, low right offset 0, 0.7 textcolor rgb colour
  }
  plot probe using 1:2:4 with filledcurves fillstyle transparent solid 0.12 noborder linecolor rgb colour, \
       probe using 1:2 with lines linewidth 1 linecolor rgb colour, \
       probe using 1:3 with lines linewidth 2 linecolor rgb colour, \
       probe using 1:4 with lines linewidth 1 linecolor rgb colour
}
unset multiplot
