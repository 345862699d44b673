/** Commands of the program itself, beside those of the server. Help and completion read this table. */
export const ownCommands: readonly {
  readonly name: string;
  readonly usage: string;
  readonly does: string;
}[] = [
  { name: 'fetch', usage: 'fetch URL --to DIR', does: 'fetch and verify an image without any server' },
  {
    name: 'console',
    usage: 'console NAME|ID',
    does: 'type into the serial line of an instance; Ctrl-] leaves',
  },
  { name: 'set', usage: 'set KEY VALUE', does: 'change the profile: url, apikey, secretkey, output, …' },
  { name: 'show', usage: 'show config', does: 'the profiles, without their secrets' },
  { name: 'sync', usage: 'sync', does: 'ask the server for its commands again' },
  { name: 'completion', usage: 'completion bash|zsh', does: 'print the script that completes on Tab' },
  { name: 'help', usage: 'help [VERB [NOUN]]', does: 'help, also with --help after any command' },
  { name: 'version', usage: 'version', does: 'the version' },
  {
    name: 'server',
    usage: 'server [init …]',
    does: 'make a cloud in a database, run a management server of it',
  },
  {
    name: 'agent',
    usage: 'agent [join|check] …',
    does: 'make this machine a host, look what it lacks, run its agent',
  },
];
