import { expect, test } from "bun:test";
import { Topic } from "../../lib/util/topic.ts";

test("whoever subscribed is told each time, in that order, and of nothing before", () => {
  const topic = new Topic<[string, number]>();
  const heard: unknown[] = [];
  topic.publish("nobody", 0);
  topic.subscribe((...args) => heard.push(["first", ...args]));
  topic.publish("a", 1);
  topic.subscribe((...args) => heard.push(["second", ...args]));
  const { publish } = topic;
  publish("b", 2);
  expect(heard).toEqual([
    ["first", "a", 1],
    ["first", "b", 2],
    ["second", "b", 2],
  ]);
});
