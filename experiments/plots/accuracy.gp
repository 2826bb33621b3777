# Validation accuracy against steps of a plain and a normalised network, each name at its curve's end; a dashed line at
# the plain network's best, a point where the normalised one first reaches it.
#   usage: gnuplot -c accuracy.gp svg|png FILE PLAIN.tsv NORMALISED.tsv        (columns: step, accuracy in 0..1)
format = ARG1; file = ARG2; width = 720; height = 430
load "experiments/plots/style.gp"
plain = ARG3; normalised = ARG4

stats plain using 1:2 nooutput
plain_best = STATS_max_y
last_step = STATS_max_x
plain_end = ""
stats plain using (plain_end = strcol(2), $1) nooutput
crossing = 0; normalised_end = ""
stats normalised using ((crossing == 0 && $2 >= plain_best) ? (crossing = $1) : 0, normalised_end = strcol(2), $1) nooutput
if (STATS_max > last_step) { last_step = STATS_max }

set xrange [0:last_step]
set yrange [0:*]
set format y "%.0f %%"
set xlabel "training steps"
set ylabel "validation accuracy"
set rmargin 14
set label 1 "with batch\nnormalisation" at last_step, 100 * real(normalised_end) offset 0.8, 0.5 textcolor rgb normalised_colour
set label 2 "without" at last_step, 100 * real(plain_end) offset 0.8, 0 textcolor rgb plain_colour
if (crossing > 0) {
  set arrow 1 from crossing, graph 0 to crossing, 100 * plain_best nohead dashtype 3 linecolor rgb normalised_colour
  set label 3 sprintf("%d steps", crossing) at crossing, graph 0 offset 0.8, 0.9 textcolor rgb normalised_colour
  set label 4 "" at crossing, 100 * plain_best point pointtype 7 pointsize 0.8 linecolor rgb normalised_colour
}
plot 100 * plain_best with lines dashtype 2 linewidth 1 linecolor rgb "#999999", \
     plain using 1:(100 * $2) with lines linewidth 2 linecolor rgb plain_colour, \
     normalised using 1:(100 * $2) with lines linewidth 2 linecolor rgb normalised_colour
