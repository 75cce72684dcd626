import { howToRun } from "../../util/build.ts";
import { UsageError } from "../../util/flags.ts";
import { Failure } from "../program.ts";

const WHOLE = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;
const BEGINNING = /^[\da-f]{4}[\da-f-]{0,31}$/i;

/** Things that are looked through. */
const MOST = 1000;

/** What has ids that sort by time, the newest first. */
export interface Findable {
  /** What one of them is called: `download`. */
  name: string;
  /** The command of `fds` that lists them: `downloads`. */
  command: string;
  page: (cursor: string | null) => Promise<{ ids: string[]; nextCursor: string | null }>;
}

/**
 * Finds the one that a person means, by its id or the beginning of it.
 * @throws UsageError for what cannot be the beginning of one
 * @throws Failure where none, or more than one, begins like this
 */
export async function findId(text: string, { name, command, page }: Findable): Promise<string> {
  if (WHOLE.test(text)) return text.toLowerCase();
  if (!BEGINNING.test(text)) {
    throw new UsageError(`ID is "${text}", expected the id of a ${name} or its first characters`);
  }
  const beginning = text.toLowerCase();
  const ids: string[] = [];
  for (let cursor: string | null = null; ids.length < MOST;) {
    const { ids: more, nextCursor } = await page(cursor);
    ids.push(...more);
    // The newest come first, and ids are in the order of time: no older one begins like this.
    if (more.length === 0 || nextCursor === null || nextCursor < beginning) break;
    cursor = nextCursor;
  }
  const [found, other] = ids.filter((id) => id.startsWith(beginning));
  if (found === undefined) {
    throw new Failure(
      `list them with "${howToRun("fds")} ${command}": none of the latest ${ids.length} begins with "${text}"`,
    );
  }
  if (other === undefined) return found;
  throw new Failure(`give more of the id: "${found}" and "${other}" both begin with "${text}"`);
}
