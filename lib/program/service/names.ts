/** Commands that manage a service, given after `fds client` or `fds server`. */
export const SERVICE_COMMANDS = ["install", "uninstall", "status"] as const;

export type ServiceCommand = (typeof SERVICE_COMMANDS)[number];

export function isServiceCommand(word: string | undefined): word is ServiceCommand {
  return SERVICE_COMMANDS.some((command) => command === word);
}
