import { expect, test } from "bun:test";
import {
  clientCommand,
  installCommand,
  isUnencrypted,
} from "../../lib/dashboard/client-command.ts";

const at = (page: string, key: string | null, root = "") =>
  clientCommand({ id: "restaurant-001", root, page: new URL(page), key });

test.each<[page: string, key: string | null, command: string]>([
  [
    "http://localhost:8080/#status=failed",
    null,
    "bun run client --id restaurant-001 --server http://localhost:8080",
  ],
  [
    "https://files.example.com/",
    "fds_enroll_x",
    "ENROLL_TOKEN=fds_enroll_x bun run client --id restaurant-001 --server https://files.example.com",
  ],
  [
    "https://example.com/fds/?a=b#site=1",
    null,
    "bun run client --id restaurant-001 --server https://example.com/fds",
  ],
  [
    "http://10.0.0.7:8080/",
    null,
    "bun run client --id restaurant-001 --server http://10.0.0.7:8080 --insecure",
  ],
])("at %s, with the key %p", (page, key, command) => {
  expect(at(page, key)).toBe(command);
});

test.each([
  ["/srv/tills", "/srv/tills"],
  ["/srv/the tills", "'/srv/the tills'"],
  ["it's; rm -rf ~", String.raw`'it'\''s; rm -rf ~'`],
  ["~/tills", "~/tills"],
  ["~/the tills", "~'/the tills'"],
  ["~", "~"],
  ["~till/a b", "~till'/a b'"],
  ["~a b", "'~a b'"],
])("the folder %s is one word", (root, word) => {
  expect(at("https://example.com/", null, root)).toEndWith(` --root ${word}`);
});

test.each([
  ["https://example.com/", false],
  ["http://127.0.0.1:8080/", false],
  ["http://[::1]:8080/", false],
  ["http://localhost.example.com/", true],
])("at %s, what is sent can be read on its way: %p", (page, isClear) => {
  expect(isUnencrypted(new URL(page))).toBe(isClear);
});

test.each<[page: string, key: string | null, root: string, command: string]>([
  [
    "https://files.example.com/#site=1",
    "fds_enroll_x",
    "/srv/the tills",
    "echo fds_enroll_x | sudo ./fds-linux-x64 client install --id till-1 --server https://files.example.com --root '/srv/the tills' --enroll-token -",
  ],
  [
    "http://10.0.0.7:8080/",
    null,
    "",
    "sudo ./fds-linux-x64 client install --id till-1 --server http://10.0.0.7:8080 --root /srv/exports --insecure",
  ],
])("of a built server at %s, with the key %p", (page, key, root, command) => {
  expect(installCommand({ id: "till-1", root, page: new URL(page), key })).toBe(command);
});
