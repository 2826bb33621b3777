# How far the mean of a nonlinearity's input moves in one training step.
#   usage: gnuplot -c figure.gp svg|png FILE DATA_FOLDER
format = ARG1; file = ARG2; width = 760; height = 330
data = ARG3
load "experiments/plots/style.gp"

noise_colour = "#D55E00"
set margins 9, 22, 3.8, 1
set logscale y
set format y "10^{%L}"
set format x "%.0f"
set xlabel "training steps"
set ylabel "mean's move in a step, in deviations" offset 0.5, 0
arms = "bn_noise plain bn"
colour(arm) = arm eq "plain" ? plain_colour : arm eq "bn" ? normalised_colour : noise_colour
name(arm) = arm eq "plain" ? "without BN" : arm eq "bn" ? "with BN" : "BN and noise"
do for [i = 1:3] {
  arm = word(arms, i)
  stats data."/".arm.".tsv" using 1:(last = $2, $2) nooutput
  set label i name(arm) at first STATS_max_x, last offset 1, 0 textcolor rgb colour(arm)
}
plot for [arm in arms] data."/".arm.".tsv" using 1:2 with lines linewidth 2 linecolor rgb colour(arm)
