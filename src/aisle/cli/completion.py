"""`ais completion bash|zsh|fish`: scripts that have `ais __complete` say what may come next.

The scripts know nothing of commands; `aisle.cli.complete` does. Each prints a candidate a line,
and ones that end in a slash, a colon or an equals sign are not followed by a blank.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

# Bash breaks words at colons: the part of a URI before the last one is taken off each candidate.
_BASH: Final = r"""# bash completion for ais: source <(ais completion bash)
_ais_complete() {
    local line words word prefix
    line="${COMP_LINE:0:COMP_POINT}"
    read -ra words <<< "$line"
    word="${words[${#words[@]}-1]}"
    if [[ "$line" == *[[:space:]] ]]; then
        words+=("")
        word=""
    fi
    prefix=""
    [[ "$word" == *[:=]* ]] && prefix="${word%"${word##*[:=]}"}"
    COMPREPLY=()
    compopt -o nospace 2>/dev/null
    local candidate
    while IFS= read -r candidate; do
        case "$candidate" in
            __files__) compopt -o default -o filenames 2>/dev/null; return ;;
            */ | *: | *=) ;;
            *) candidate="$candidate " ;;
        esac
        COMPREPLY+=("${candidate#"$prefix"}")
    done < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
}
complete -F _ais_complete ais
"""

_ZSH: Final = r"""#compdef ais
# zsh completion for ais: source <(ais completion zsh), after compinit
_ais() {
    local -a candidates open
    local candidate
    while IFS= read -r candidate; do
        case "$candidate" in
            __files__) _files; return ;;
            */ | *: | *=) open+=("$candidate") ;;
            *) candidates+=("$candidate") ;;
        esac
    done < <("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
    (( ${#candidates} )) && compadd -Q -- "${candidates[@]}"
    (( ${#open} )) && compadd -Q -S '' -- "${open[@]}"
    return 0
}
compdef _ais ais
"""

_FISH: Final = r"""# fish completion for ais: ais completion fish | source
function __ais_complete
    set -l words (commandline --cut-at-cursor --tokenize)
    set -l current (commandline --cut-at-cursor --current-token)
    for candidate in ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
        if test "$candidate" = __files__
            __fish_complete_path "$current"
        else
            echo $candidate
        end
    end
end
complete --command ais --no-files --arguments '(__ais_complete)'
"""

SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=tuple(SCRIPTS), help="which shell the script is for")


def run(options: argparse.Namespace) -> None:
    sys.stdout.write(SCRIPTS[options.shell])
