import { systemCode } from "../../util/system-error.ts";

/**
 * Starts to listen.
 * @param serve does it
 * @throws Error that says what a person can do; whatever else `serve` throws
 */
export function listen<T>({ host, port }: { host: string; port: number }, serve: () => T): T {
  try {
    return serve();
  } catch (cause) {
    const advice = adviceFor(systemCode(cause), host, port);
    throw advice === null ? cause : new Error(advice, { cause });
  }
}

function adviceFor(code: string | null, host: string, port: number): string | null {
  switch (code) {
    case "EADDRINUSE":
      return `port ${port} is in use: stop the program that has it, or pass another --port`;
    case "EADDRNOTAVAIL":
      return `pass another --host: "${host}" is no address of this machine`;
    case "EACCES":
      return `pass a --port from 1024 on: this user may not listen on ${port}`;
    default:
      return null;
  }
}
