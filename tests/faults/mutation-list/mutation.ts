/** The product broken on purpose in one place, and the tests that must notice. */
export interface Mutation {
  name: string;
  /** What no longer holds: an invariant of lib/README.md, or the rule that serves it. */
  breaks: string;
  /** From the top of the tree. */
  file: string;
  /** Must be there exactly once, so that the list cannot outlive what it is about. */
  find: string;
  replace: string;
  /** Test files, with what stands in the name of the tests in each that must fail. */
  caughtBy: Record<string, string>;
}
