# Training speed against the batch, for two sizes of images, two types, one thread and two.
#   usage: gnuplot -c scaling.gp svg|png FILE SPEEDS.tsv         (blocks of: batch, images/s; the order is below)
format = ARG1; file = ARG2; width = 900; height = 360
load "experiments/plots/style.gp"
speeds = ARG3

set logscale xy
set format x "%.0f"
set xlabel "images a step"
set multiplot layout 1, 2 margins 0.08, 0.87, 0.17, 0.89 spacing 0.17
array names[4] = ["f32, 1 thread", "f32, 2 threads", "bf16, 1 thread", "bf16, 2 threads"]
do for [size=0:1] {
  set title size == 0 ? "224x224" : "64x64" offset 0, -0.3
  if (size == 0) { set ylabel "images/s in training" } else { unset ylabel }
  last = size == 0 ? 32 : 256
  set xrange [1:last]
  set xtics (1, 2, 4, 8, 16, 32, 64, 128, 256)
  set autoscale y
  do for [i=1:4] {
    stats speeds index 4 * size + i - 1 using (speed = $2) nooutput
    set label i names[i] at last, speed offset 0.8, 0 textcolor rgb (i < 3 ? plain_colour : normalised_colour)
  }
  plot for [i=0:3] speeds index 4 * size + i using 1:2 with lines linewidth 2 dashtype 2 - i % 2 \
    linecolor rgb (i < 2 ? plain_colour : normalised_colour)
}
unset multiplot
