/**
 * Scripts for the shells: thin, the words come from `jubako __complete WORD...`, one a line with a tab before what it is.
 * A last line `:files` says that names of files may follow too.
 */
export const COMPLETION_SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# bash completion for jubako
_jubako() {
  local current=\${COMP_WORDS[COMP_CWORD]} line
  COMPREPLY=()
  # bash takes "a:b" and "a=b" apart; the words are put together again from the line.
  local typed=\${COMP_LINE:0:COMP_POINT} words
  read -ra words <<< "$typed"
  [[ $typed == *[[:space:]] ]] && words+=("")
  local whole=\${words[-1]}
  local prefix=\${whole%"$current"}
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o default 2>/dev/null
      continue
    fi
    line=\${line%%$'\\t'*}
    COMPREPLY+=("\${line#"$prefix"}")
  done < <(jubako __complete "\${words[@]:1}" 2>/dev/null)
}
complete -F _jubako jubako
`,
  zsh: `#compdef jubako
_jubako() {
  local line
  local -a words_found
  local files=
  for line in "\${(@f)$(jubako __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -z $line ]] && continue
    if [[ $line == :files ]]; then
      files=1
      continue
    fi
    local word=\${line%%$'\\t'*} about=\${line#*$'\\t'}
    words_found+=("\${word//:/\\\\:}:$about")
  done
  (( \${#words_found} )) && _describe 'jubako' words_found
  [[ -n $files ]] && _files
}
if [[ $funcstack[1] == _jubako ]]; then
  _jubako
else
  compdef _jubako jubako
fi
`,
  fish: `# fish completion for jubako
function __jubako_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l lines (jubako __complete $words[2..-1] 2>/dev/null)
  for line in $lines
    if test "$line" = ":files"
      __fish_complete_path (commandline -ct)
    else
      echo $line
    end
  end
end
complete -c jubako -f -a '(__jubako_complete)'
`,
}
