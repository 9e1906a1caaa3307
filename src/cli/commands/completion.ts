import type { Command } from '../command.js'
import { CodedError, EXIT } from '../exit-codes.js'
import { COMPLETION_SCRIPTS } from '../format/completion-scripts.js'

export const command: Command = {
  spec: {
    name: 'completion',
    aliases: ['completion'],
    usage: 'bash|zsh|fish',
    summary: 'Generate the autocompletion script for the specified shell',
    args: [1, 1],
    flags: [],
    examples: [
      'jubako completion bash > /etc/bash_completion.d/jubako',
      "jubako completion zsh > '/usr/share/zsh/site-functions/_jubako'",
      'jubako completion fish > ~/.config/fish/completions/jubako.fish',
    ],
  },
  async run(flags, context) {
    const shell = flags.args[0]!
    const script = Object.hasOwn(COMPLETION_SCRIPTS, shell) ? COMPLETION_SCRIPTS[shell] : undefined
    if (script === undefined) throw new CodedError(`no completion for '${shell}': use bash, zsh or fish`, EXIT.failure)
    context.out.text(script)
    return EXIT.ok
  },
}
