# What happens in one layer while three networks train, against the training steps.
#   usage: gnuplot -c figure.gp svg|png FILE DATA_FOLDER moves|rate
# moves: how far the mean of its nonlinearity's input moves in one step. rate: 1 / |W|^2, by which the effective learning rate
# of its weights departs from the schedule, over its first value.
format = ARG1; file = ARG2; width = 760; height = 330
data = ARG3
load "experiments/plots/style.gp"

moves = ARG4 eq "moves"
quantity = moves ? 2 : 3
noise_colour = "#D55E00"
set margins 9, 22, 3.8, 1
if (moves) {
  set logscale y
  set format y "10^{%L}"
} else {
  set yrange [0:*]
}
set format x "%.0f"
set xlabel "training steps"
set ylabel (moves ? "mean's move in a step, in deviations" : "1 / |W|^2, of its first value") offset 0.5, 0
arms = "bn_noise plain bn"
colour(arm) = arm eq "plain" ? plain_colour : arm eq "bn" ? normalised_colour : noise_colour
name(arm) = arm eq "plain" ? "without BN" : arm eq "bn" ? "with BN" : "BN and noise"
do for [i = 1:3] {
  arm = word(arms, i)
  stats data."/".arm.".tsv" using 1:(last = column(quantity), last) nooutput
  set label i name(arm) at first STATS_max_x, last offset 1, 0 textcolor rgb colour(arm)
}
plot for [arm in arms] data."/".arm.".tsv" using 1:quantity with lines linewidth 2 linecolor rgb colour(arm)
