import { howToRun } from "../../util/build.ts";
import { UsageError } from "../../util/flags.ts";
import { Failure } from "../program.ts";

const WHOLE = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;
const BEGINNING = /^[\da-f]{4}[\da-f-]{0,31}$/i;

/** Most items that are searched. */
const MOST = 1000;

/** A list of items whose ids sort by time, newest first. */
export interface Findable {
  /** Name of an item: `download`. */
  name: string;
  /** The command of `fds` that lists them: `downloads`. */
  command: string;
  page: (cursor: string | null) => Promise<{ ids: string[]; nextCursor: string | null }>;
}

/**
 * Finds the item that a person means, by its id or the beginning of it.
 * @throws UsageError for what cannot be the beginning of an id
 * @throws Failure where no item, or more than one, matches
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
    // Newest first, with ids ordered by time: no older one can match.
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
