#compdef millrace
# millrace completion for zsh: source <(millrace completion zsh), after compinit
_millrace() {
  local line="${(j: :)words[1,CURRENT-1]} $PREFIX" entry value description
  local -a entries values shown open openshown
  entries=("${(@f)$(${~words[1]} __complete "$line" 2>/dev/null)}")
  for entry in $entries; do
    value=${entry%%$'\t'*}
    description=${entry#*$'\t'}
    if [[ $value == :files ]]; then
      compset -P "${(b)description}"
      _files
      return
    fi
    [[ -n $description ]] && description="$value  ($description)" || description=$value
    if [[ $value == *[=.] ]]; then
      open+=("$value")
      openshown+=("$description")
    else
      values+=("$value")
      shown+=("$description")
    fi
  done
  local result=1
  ((${#values})) && compadd -l -d shown -a values && result=0
  ((${#open})) && compadd -S '' -l -d openshown -a open && result=0
  return result
}
compdef _millrace millrace
