# The paper's way to compare (its Figure 3): how many steps a network needs for the best accuracy of the plain one.
#   usage: awk -f compare_accuracy.awk PLAIN.tsv NORMALISED.tsv        (columns: step, accuracy in 0..1)
FNR == 1 { ++file }
{
  if ($2 > best[file]) { best[file] = $2; best_step[file] = $1 }
  if (file == 1) next
  if (!reached && $2 >= best[1]) reached = $1
}
END {
  if (file < 2) { print "A run has no evaluation in its log: nothing to compare."; exit 1 }
  target = sprintf("%.1f %%", 100 * best[1])
  print "| network | best accuracy | at step | steps to " target " |"
  print "|---|---|---|---|"
  printf "| without BN | %s | %d | %d |\n", target, best_step[1], best_step[1]
  printf "| with BN | %.1f %% | %d | %s |\n", 100 * best[2], best_step[2], reached ? reached : "not reached"
  if (reached && reached < best_step[1])
    printf "\nWith batch normalisation, the plain network's best accuracy takes %.1f times fewer steps.\n", \
           best_step[1] / reached
}
