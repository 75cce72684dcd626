import { LOG_FORMATS, LOG_LEVELS, type LogFormat } from "./logger.ts";
import { oneOf } from "./kinds.ts";
import { type SettingTable } from "./settings.ts";

/** The settings LOG_LEVEL and LOG_FORMAT, which all programs with a log have. */
export const LOG_SETTINGS = {
  logLevel: {
    variable: "LOG_LEVEL",
    kind: oneOf(LOG_LEVELS),
    default: "info",
    help: LOG_LEVELS.join(", "),
  },
  logFormat: {
    variable: "LOG_FORMAT",
    kind: oneOf(LOG_FORMATS),
    help: `${LOG_FORMATS.join(" or ")} (default: pretty on a terminal, json otherwise)`,
  },
} satisfies SettingTable;

/** Returns the log format to use if none is set. @param isTerminal whether the log goes to a terminal */
export function defaultLogFormat(isTerminal: boolean): LogFormat {
  return isTerminal ? "pretty" : "json";
}
