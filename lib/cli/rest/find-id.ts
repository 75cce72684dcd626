import { howToRun } from "../../util/build.ts";
import { UsageError } from "../../util/flags.ts";
import { Failure } from "../program.ts";

const WHOLE_ID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;
const ID_BEGINNING = /^[\da-f]{4}[\da-f-]{0,31}$/i;

/** The maximum number of items that a search for an id reads. */
const MAX_SEARCHED = 1000;

/** A list of items to search by id. Ids are ordered by time, and pages come newest first. */
export interface Findable {
  /** The noun for an item, for messages: `download`. */
  name: string;
  /** The command of `fds` that lists the items: `downloads`. */
  command: string;
  fetchPage: (cursor: string | null) => Promise<{ ids: string[]; nextCursor: string | null }>;
}

/**
 * Finds an item by its id, or by the beginning of its id.
 * @throws UsageError for a text that cannot be the beginning of an id
 * @throws Failure where no item, or more than one item, matches
 */
export async function findId(
  text: string,
  { name, command, fetchPage }: Findable,
): Promise<string> {
  if (WHOLE_ID.test(text)) return text.toLowerCase();
  if (!ID_BEGINNING.test(text)) {
    throw new UsageError(`ID is "${text}", expected the id of a ${name} or its first characters`);
  }
  const beginning = text.toLowerCase();
  const ids: string[] = [];
  for (let cursor: string | null = null; ids.length < MAX_SEARCHED;) {
    const { ids: more, nextCursor } = await fetchPage(cursor);
    ids.push(...more);
    // Ids come newest first. Once an id is smaller than `beginning`, no id on the next pages begins with it.
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
