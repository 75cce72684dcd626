import { afterEach, beforeEach, describe, expect, jest, test } from "bun:test";
import { type Guest, TURN_MS, WaitingRoom } from "../../../lib/server/http/waiting-room.ts";

class FakeGuest implements Guest {
  isRead = true;
  isGone = false;

  pause(): void {
    this.isRead = false;
  }
  resume(): void {
    this.isRead = true;
  }
}

let room: WaitingRoom<FakeGuest>;

beforeEach(() => {
  jest.useFakeTimers();
  room = new WaitingRoom({
    perAddress: 4,
    total: 8,
    readAtOnce: 2,
    turnAway: (guest) => (guest.isGone = true),
  });
});
afterEach(() => jest.useRealTimers());

/** Lets a connection from this address enter the waiting room; null if it gets no place. */
function come(address: string): FakeGuest | null {
  if (!room.take(address)) return null;
  const guest = new FakeGuest();
  room.enter(guest, address);
  return guest;
}

function comeAll(...addresses: string[]): FakeGuest[] {
  const guests = addresses.map(come);
  expect(guests).not.toContain(null);
  return guests as FakeGuest[];
}

const isRead = ({ isRead: read }: FakeGuest) => read;
const isGone = ({ isGone: gone }: FakeGuest) => gone;

describe("a guest", () => {
  test("is read at once where nobody waits", () => {
    expect(comeAll("a", "a").map(isRead)).toEqual([true, true]);
  });

  test("waits for its turn where as many are read as may be", () => {
    const guests = comeAll("a", "a", "a");
    expect(guests.map(isRead)).toEqual([true, true, false]);
    room.heard(guests[0]!);
    expect(guests.map(isRead)).toEqual([false, true, true]);
    room.leave(guests[1]!);
    expect(room.size).toBe(2);
  });

  test("is read before those of its address that came earlier and said nothing", () => {
    const [first, , third, fourth] = comeAll("a", "a", "a", "a");
    room.leave(first!);
    expect([third!, fourth!].map(isRead)).toEqual([false, true]);
  });

  test("that was heard keeps its place until it leaves, which it does once", () => {
    const [guest] = comeAll("a");
    room.heard(guest!);
    room.heard(guest!);
    expect(room.size).toBe(1);
    room.leave(guest!);
    room.leave(guest!);
    expect(room.size).toBe(0);
  });

  test("that says nothing is turned away only where others wait", () => {
    const guests = comeAll("a", "a");
    jest.advanceTimersByTime(10 * TURN_MS);
    expect(guests.map(isGone)).toEqual([false, false]);
    const [next] = comeAll("a");
    expect([...guests.map(isGone), isRead(next!)]).toEqual([true, false, true]);
  });

  test("has its time, also where others wait from its beginning", () => {
    const guests = comeAll("a", "a", "a", "a");
    jest.advanceTimersByTime(TURN_MS - 1);
    expect(guests.map(isGone)).toEqual([false, false, false, false]);
    jest.advanceTimersByTime(1);
    expect(guests.map(isGone)).toEqual([true, true, false, false]);
    expect(guests.slice(2).map(isRead)).toEqual([true, true]);
  });
});

describe("an address", () => {
  test("has so many places and no more; who leaves makes room", () => {
    const guests = comeAll("a", "a", "a", "a");
    expect(come("a")).toBeNull();
    room.leave(guests[3]!);
    expect(come("a")).not.toBeNull();
  });

  test("of IPv6 is a network", () => {
    comeAll("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4");
    expect(come("2001:db8::5")).toBeNull();
    expect(come("2001:db8:0:1::5")).not.toBeNull();
  });

  test("has its turn also where another one has a long line", () => {
    const [first, second, third, fourth, other] = comeAll("a", "a", "a", "a", "b");
    room.heard(first!);
    room.heard(second!);
    expect([third!, fourth!, other!].map(isRead)).toEqual([false, true, true]);
  });

  test("that has the most gives up a place where all are taken, that of its first in line", () => {
    const guests = comeAll("a", "a", "a", "a", "b", "b", "b", "c");
    const [more] = comeAll("c");
    expect(guests.filter(isGone)).toEqual([guests[2]!]);
    expect([room.size, isGone(more!)]).toEqual([8, false]);
    comeAll("d");
    expect(guests.filter(isGone)).toHaveLength(2);
    // Address a has the most connections, so it cannot take a place from another address.
    expect(come("a")).toBeNull();
    expect(room.size).toBe(8);
  });

  test("gets a place back that was not used", () => {
    for (let n = 0; n < 10; n++) {
      expect(room.take("a")).toBe(true);
      room.giveBack("a");
    }
    expect(room.size).toBe(0);
  });
});
