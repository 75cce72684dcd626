import { describe, expect, test } from "bun:test";
import { isPublic, plainAddress } from "../../../lib/server/webhooks/addresses.ts";
import { Destinations, PrivateAddress } from "../../../lib/server/webhooks/destinations.ts";

const PUBLIC = [
  "8.8.8.8",
  "1.1.1.1",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "126.255.255.255",
  "169.253.255.255",
  "172.15.255.255",
  "172.32.0.0",
  "192.167.255.255",
  "192.169.0.0",
  "223.255.255.255",
  "2606:4700:4700::1111",
  "2a00:1450:4001:81b::200e",
  "2001:4860:4860::8888",
  "::ffff:8.8.8.8",
  "::ffff:808:808",
  "64:ff9b::8.8.8.8",
];

const NOT_PUBLIC = [
  "0.0.0.0",
  "0.1.2.3",
  "10.0.0.1",
  "10.255.255.255",
  "100.64.0.1",
  "127.0.0.1",
  "127.255.255.254",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.0.0.170",
  "192.0.2.1",
  "192.88.99.1",
  "192.168.0.1",
  "198.18.0.1",
  "198.51.100.1",
  "203.0.113.1",
  "224.0.0.1",
  "240.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "0:0:0:0:0:0:0:1",
  "::127.0.0.1",
  "::ffff:127.0.0.1",
  "::ffff:7f00:1",
  "::FFFF:10.0.0.1",
  "0:0:0:0:0:ffff:c0a8:1",
  "::ffff:0:127.0.0.1",
  "64:ff9b::127.0.0.1",
  "64:ff9b::a00:1",
  "64:ff9b:1::8.8.8.8",
  "100::1",
  "fc00::1",
  "fd00:ec2::254",
  "fe80::1",
  "fe80::1%eth0",
  "febf::1",
  "fec0::1",
  "ff02::1",
  "2001::1",
  "2001:0:808:808::1",
  "2001:db8::1",
  "2002:7f00:1::1",
  "2002:808:808::1",
  "3fff::1",
  "4000::1",
];

test.each(PUBLIC)("%s is of the internet", (address) => {
  expect(isPublic(address)).toBe(true);
});

test.each(NOT_PUBLIC)("%s is not of the internet", (address) => {
  expect(isPublic(address)).toBe(false);
});

test("an address that stands for another one is told as that", () => {
  expect(plainAddress("::ffff:7f00:1")).toBe("127.0.0.1");
  expect(plainAddress("64:ff9b::c0a8:102")).toBe("192.168.1.2");
  expect(plainAddress("::1")).toBe("::1");
  expect(plainAddress("10.0.0.1")).toBe("10.0.0.1");
});

describe("a destination", () => {
  const names: Record<string, string[]> = {
    "public.example": ["8.8.8.8", "2606:4700:4700::1111"],
    "private.example": ["10.1.2.3"],
    "mixed.example": ["8.8.8.8", "::ffff:192.168.0.1"],
    localhost: ["127.0.0.1"],
  };
  const looked: string[] = [];
  const to = (url: string, ...allow: string[]) =>
    new Destinations(allow, async (hostname) => {
      looked.push(hostname);
      const found = names[hostname] ?? [];
      return found.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    }).addressesOf(new URL(url));

  test.each([
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "https://10.1.2.3:8443/x",
    "https://private.example/",
    "https://mixed.example/",
    "http://localhost/",
    "http://LOCALHOST./",
  ])("%s is refused, by name", async (url) => {
    await expect(to(url)).rejects.toThrow(PrivateAddress);
  });

  test("leads to all addresses of its name, looked up once", async () => {
    looked.length = 0;
    expect(await to("https://public.example:8443/x")).toEqual([
      { address: "8.8.8.8", family: 4 },
      { address: "2606:4700:4700::1111", family: 6 },
    ]);
    expect(looked).toEqual(["public.example"]);
    expect(await to("https://8.8.4.4/")).toEqual([{ address: "8.8.4.4", family: 4 }]);
    expect(await to("https://[2606:4700:4700::1]/")).toEqual([
      { address: "2606:4700:4700::1", family: 6 },
    ]);
    expect(looked).toHaveLength(1);
  });

  test("is let in by its name, its address or its network, and nothing else is", async () => {
    await to("http://private.example/", "private.example");
    await to("http://PRIVATE.example./", "Private.Example");
    await to("http://private.example/", "10.1.2.3");
    await to("http://private.example/", "8.8.8.8", "10.0.0.0/8");
    await to("http://10.1.2.3/", "10.0.0.0/8");
    await to("http://[::1]/", "::1");
    await to("http://[fd00::7]/", "fd00::/8");
    await to("http://[::ffff:10.1.2.3]/", "10.1.2.3");
    await to("http://mixed.example/", "192.168.0.0/16");
    for (const allow of ["10.1.2.4", "other.example", "10.2.0.0/16", "example", "fd00::/8"]) {
      await expect(to("http://private.example/", allow)).rejects.toThrow("10.1.2.3");
    }
    await expect(to("http://10.1.2.3/", "private.example")).rejects.toThrow("10.1.2.3");
  });
});
