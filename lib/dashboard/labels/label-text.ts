import { LABEL_PART, MAX_LABELS } from "../../api/label-parts.ts";
import type { LabelChanges, Labels } from "../../api/labels.ts";

/* Parses and formats labels as people type them: `region=west tier=gold`. */

/** A text is no valid list of labels. The message says why. */
export class LabelTextError extends Error {
  override name = "LabelTextError";
}

/** Formats labels as texts, sorted by key: `["region=west", "tier=gold"]`. */
export function labelWords(labels: Labels): string[] {
  return Object.entries(labels)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
}

/** Parses labels that are separated by spaces or commas. @throws LabelTextError if the text is invalid */
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

/** Returns the changes that turn the labels `before` into `after`; null if they are equal. */
export function changesBetween(before: Labels, after: Labels): LabelChanges | null {
  const removed = Object.keys(before).filter((key) => !Object.hasOwn(after, key));
  const set = Object.entries(after).filter(([key, value]) => before[key] !== value);
  if (removed.length === 0 && set.length === 0) return null;
  return Object.fromEntries([...removed.map((key) => [key, null] as const), ...set]);
}
