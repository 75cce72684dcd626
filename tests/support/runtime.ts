import { scripts } from "../../package.json";

/** Returns the environment variables that the script `bun run NAME` of package.json sets. */
export function runtimeEnvironment(name: "server" | "client"): Record<string, string> {
  const words = scripts[name].split(" ");
  const settings = words.slice(0, words.indexOf("bun")).map((word) => word.split("=", 2));
  return Object.fromEntries(settings);
}
