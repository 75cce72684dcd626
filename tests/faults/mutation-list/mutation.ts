/** A fault put into the source code in one place, with the tests that must detect it. */
export interface Mutation {
  name: string;
  /** The invariant of lib/README.md, or the rule behind it, that the fault breaks. */
  breaks: string;
  /** Path of the changed file, from the top of the repository. */
  file: string;
  /**
   * The text to replace, which must occur exactly once. A test fails when the list no longer fits the code.
   */
  find: string;
  replace: string;
  /** Paths of test files, each with a part of the names of the tests that must fail. */
  caughtBy: Record<string, string>;
}
