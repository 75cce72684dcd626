import * as fc from "fast-check";

const PIECES = [
  ...'/\\<>:"|?*. \t\0\u007f\u00a0\u200b\u202e\u2066\ufeff\u0301\u0338\u1100\u1161\u3000',
  ..."aZ9_-é文😀",
  "\ud800",
  "\udc00",
  "..",
  "CON",
  "nul.",
  "COM¹",
  ".txt",
  " ".repeat(150),
  ".".repeat(150),
  "a".repeat(150),
  "é".repeat(99),
];

const anyUnit = fc.nat({ max: 0xffff }).map((unit) => String.fromCharCode(unit));

/**
 * Generates paths of characters and names that are special to some file system, mixed with random UTF-16
 * units.
 */
export const hostilePath = fc
  .array(fc.oneof(fc.constantFrom(...PIECES), anyUnit), { maxLength: 12 })
  .map((pieces) => pieces.join(""));
