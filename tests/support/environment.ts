import { childEnvironment } from "../../lib/cli/demo/processes.ts";

/**
 * The environment of every program that a test starts: what it needs to run at all, and what the
 * test gives it. Whoever runs the tests may have settings of ours, want colours or be CI: none of
 * that reaches it.
 */
export function testEnvironment(own: Record<string, string> = {}): Record<string, string> {
  return childEnvironment(process.env, own);
}
