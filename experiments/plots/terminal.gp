# Validation accuracy against steps, drawn in characters.
#   usage: gnuplot -c terminal.gp COLUMNS PLAIN.tsv NORMALISED.tsv        (columns: step, accuracy in 0..1)
plain = ARG2; normalised = ARG3
set terminal dumb size int(ARG1), 20
set border 3
set tics nomirror scale 0.5
set format y "%.0f %%"
set xrange [0:*]
set yrange [0:*]
set key below samplen 2
set title "validation accuracy, by training step"
plot normalised using 1:(100 * $2) with lines title " with BN" linetype 1, \
     plain using 1:(100 * $2) with lines title "  without BN" linetype 2
