import { LABEL_PART, MAX_LABELS } from "../../api/label-parts.ts";
import type { LabelChanges, Labels } from "../../api/labels.ts";

/* Labels as a person reads and types them: `region=west tier=gold`. */

/** What was typed is no list of labels; the message says why. */
export class LabelTextError extends Error {
  override name = "LabelTextError";
}

/** `["region=west", "tier=gold"]`, by key. */
export function labelWords(labels: Labels): string[] {
  return Object.entries(labels)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
}

/**
 * Reads labels with spaces or commas between them.
 * @throws LabelTextError
 */
export function readLabels(text: string): Labels {
  const labels = new Map<string, string>();
  for (const word of text.split(/[\s,]+/).filter(Boolean)) {
    const [, key = "", value = ""] = /^([^=]*)=(.*)$/s.exec(word) ?? [];
    if (!LABEL_PART.test(key) || !LABEL_PART.test(value)) {
      throw new LabelTextError(
        `"${word.slice(0, 80)}" is no label: write key=value, each of letters, digits, ".", "_", "/" or "-"`,
      );
    }
    if (labels.has(key)) throw new LabelTextError(`"${key}" is there twice`);
    labels.set(key, value);
  }
  if (labels.size > MAX_LABELS) throw new LabelTextError(`A site has at most ${MAX_LABELS} labels`);
  return Object.fromEntries(labels);
}

/** What has to change for labels to become others; null: nothing. */
export function changesBetween(before: Labels, after: Labels): LabelChanges | null {
  const removed = Object.keys(before).filter((key) => !Object.hasOwn(after, key));
  const set = Object.entries(after).filter(([key, value]) => before[key] !== value);
  if (removed.length === 0 && set.length === 0) return null;
  return Object.fromEntries([...removed.map((key) => [key, null] as const), ...set]);
}
