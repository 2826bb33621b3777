# Mean, smallest and largest value at each step over several files of (step, value), one file a seed.
#   usage: awk -f mean_by_step.awk SEED1.tsv SEED2.tsv ...
# A step that is not in every file is left out.
{
  if (!($1 in count)) order[++steps] = $1
  if (!($1 in count) || $2 < smallest[$1]) smallest[$1] = $2
  if (!($1 in count) || $2 > largest[$1]) largest[$1] = $2
  ++count[$1]
  sum[$1] += $2
}
END {
  for (i = 1; i <= steps; ++i) {
    step = order[i]
    if (count[step] == ARGC - 1) print step "\t" sum[step] / (ARGC - 1) "\t" smallest[step] "\t" largest[step]
  }
}
