# millrace completion for bash: source <(millrace completion bash)
#
# bash breaks words at = and : too, but replaces only what follows the last break: candidates, which are whole words, are
# shortened by what stands before it. (An @ breaks words as well, but readline counts it to the word that follows.)
# Descriptions are shown in lists alone, where nothing is inserted.

# Names come from a server: what is no plain word is quoted, so that it stays one on the command line.
_millrace_quote() {
  if [[ $1 == *[!][A-Za-z0-9_.,:=@/+{}-]* ]]; then printf '%q' "$1"; else printf '%s' "$1"; fi
}

_millrace() {
  local line=${COMP_LINE:0:$COMP_POINT} breaks= prefix= value description file
  local word=${line##*[[:space:]]}
  local -a values=() descriptions=()
  [[ $COMP_WORDBREAKS == *=* ]] && breaks+='='
  [[ $COMP_WORDBREAKS == *:* ]] && breaks+=':'
  if [[ -n $breaks && $word == *["$breaks"]* ]]; then prefix=${word%"${word##*["$breaks"]}"}; fi
  COMPREPLY=()
  while IFS=$'\t' read -r value description; do
    if [[ $value == :files ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r file; do
        COMPREPLY+=("${description#"$prefix"}$file")
      done < <(compgen -f -- "${word#"$description"}")
      return
    fi
    values+=("$value")
    descriptions+=("$description")
  done < <("${COMP_WORDS[0]/#\~/$HOME}" __complete "$line" 2>/dev/null)
  if ((${#values[@]} == 1)); then
    value=${values[0]}
    [[ $value == *[=.] ]] && compopt -o nospace 2>/dev/null
    COMPREPLY=("$(_millrace_quote "${value#"$prefix"}")")
    return
  fi
  local index
  for index in "${!values[@]}"; do
    value=$(_millrace_quote "${values[index]#"$prefix"}")
    case $COMP_TYPE in
      33 | 63 | 64) [[ -n ${descriptions[index]} ]] && value+="  (${descriptions[index]})" ;;
    esac
    COMPREPLY+=("$value")
  done
}
complete -F _millrace millrace
