# Columns of a run's log.jsonl, separated by tabs, from the records of one event that hold all of them.
#   usage: awk -v event=evaluate -v fields="step validation_top1" -f log_columns.awk RUN/log.jsonl
# An array, such as percentiles, becomes as many columns. The log is written by one program, one object a line without
# blanks, which is why this needs no JSON parser.
function value_of(name) {
  if (!match($0, "\"" name "\":(\\[[^]]*\\]|\"[^\"]*\"|[^,}]*)")) return ""
  text = substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3)
  gsub(/[]["]/, "", text)
  gsub(/,/, "\t", text)
  return text
}
BEGIN { count = split(fields, names, " ") }
value_of("event") == event {
  line = ""
  for (i = 1; i <= count; ++i) {
    column = value_of(names[i])
    if (column == "") next
    line = line (i > 1 ? "\t" : "") column
  }
  print line
}
