import { existsSync } from "node:fs";

/**
 * Arguments of a doctor. Without flags it examines the service that is installed here.
 * @param argv behind `doctor`
 * @param file of the settings of that service, there or not
 */
export function withInstalledSettings(argv: string[], file: string): string[] {
  const isToldOfOthers = argv.some((word) => word !== "--json");
  return !isToldOfOthers && existsSync(file) ? [...argv, "--config", file] : argv;
}
