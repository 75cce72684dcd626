import { expect, test } from "bun:test";
import { addressOf, readAddress, type Shown } from "../../lib/dashboard/address.ts";

const EVERYTHING: Shown = { status: null, site: null, onlyOffline: false };

test.each<[hash: string, shown: Shown]>([
  ["#", EVERYTHING],
  ["#status=failed", { ...EVERYTHING, status: "failed" }],
  ["#site=Till-1", { ...EVERYTHING, site: "Till-1" }],
  ["#sites=offline", { ...EVERYTHING, onlyOffline: true }],
  [
    "#status=queued&site=a.b_c&sites=offline",
    { status: "queued", site: "a.b_c", onlyOffline: true },
  ],
])("%s asks for what it was made of", (hash, shown) => {
  expect(readAddress(hash)).toEqual(shown);
  expect(addressOf(shown)).toBe(hash);
});

test.each([
  ["", EVERYTHING],
  ["#status=", EVERYTHING],
  ["#status=toString", EVERYTHING],
  ["#status=broken&site=a", { ...EVERYTHING, site: "a" }],
  ["#sites=online", EVERYTHING],
])("of %p, what is not known counts as nothing", (hash, shown) => {
  expect(readAddress(hash)).toEqual(shown);
});

test.each(["#downloads", "#code=secret"])("%s asks for nothing of this kind", (hash) => {
  expect(readAddress(hash)).toBeNull();
});
