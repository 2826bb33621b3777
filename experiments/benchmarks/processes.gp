# How efficient a step of several processes is, by the model of `bninception profile --processes`, over each network.
#   usage: gnuplot -c processes.gp svg|png FILE MODEL.tsv        (blocks of: network, processes, step ms, efficiency in %)
format = ARG1; file = ARG2; width = 720; height = 400
load "experiments/plots/style.gp"
model = ARG3

set logscale x 2
set xrange [1:4096]
set yrange [0:100]
set format x "%.0f"
set format y "%.0f %%"
set xlabel "processes, each with 32 images of 224x224 a step"
set ylabel "efficiency"
set rmargin 12
colours = "#555555 #0072B2 #E69F00 #009E73"
do for [i=0:3] {
  stats model index i using (name = strcol(1), at = $4, $4) nooutput
  set label i + 1 name at 4096, at offset 0.8, 0 textcolor rgb word(colours, i + 1)
}
plot for [i=0:3] model index i using 2:4 with lines linewidth 2 linecolor rgb word(colours, i + 1)
