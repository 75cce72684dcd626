import type { ClientFile } from "../../api/files.ts";
import { formatSize } from "../../util/sizes.ts";
import { byId, cloneOf, find, setText } from "../dom.ts";
import { formatWhen, visible } from "../format.ts";

/** Longest pause, in ms, between typed letters that together form the prefix of a name to look for. */
const TYPING_MS = 700;

/** Height of an entry in px, the same as in the CSS. */
const ENTRY_PX = 32;

/** Number of entries that are drawn above and below the visible ones, for smooth scrolling. */
const MARGIN = 20;

/**
 * Number of entries that are kept loaded below the drawn ones. If there are fewer, further entries are loaded
 * from the server.
 */
const NEAR_END = 50;

export interface FolderListListener {
  onOpen(folder: ClientFile): void;
  onUp(): void;
  /** Called when a person ticks or unticks an entry. The listener stores the change. */
  onTick(entry: ClientFile): void;
  /** Called when the list is scrolled close to its end, to load more entries. */
  onEnd(): void;
}

/**
 * The names in a folder, as a list box with keyboard control. Arrows, Home, End, Page Up and Page Down move
 * the selection, and letters move it to a name that begins with them. Space ticks an entry, Enter and Right
 * open a folder, Backspace and Left go up. Only visible entries are DOM elements, as a folder may have
 * 100,000 entries.
 */
export class FolderList {
  readonly #list = byId("folder-list", HTMLElement);
  /** An empty element as high as all entries together, so that the scroll bar has the right length. */
  readonly #spacer = document.createElement("li");
  #entries: ClientFile[] = [];
  #activeIndex = -1;
  #typed = "";
  #typedAt = 0;

  /** @param isTicked reports whether the entry with this path is ticked */
  constructor(
    private readonly isTicked: (path: string) => boolean,
    private readonly listener: FolderListListener,
  ) {
    this.#spacer.role = "presentation";
    this.#list.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !this.#handleKey(event.key)) return;
      event.preventDefault();
    });
    this.#list.addEventListener("click", (event) => this.#click(event.target));
    this.#list.addEventListener("scroll", () => this.render());
    new ResizeObserver(() => this.render()).observe(this.#list);
  }

  clear(): void {
    this.#entries = [];
    this.#activeIndex = -1;
    this.#list.scrollTop = 0;
    this.render();
  }

  /** Appends further entries of the folder. */
  add(entries: ClientFile[]): void {
    this.#entries.push(...entries);
    if (this.#activeIndex < 0) this.#move(0);
    else this.render();
  }

  focus(): void {
    this.#list.focus();
  }

  /** Moves the selection to the entry with a path. @param path null selects the first entry */
  moveTo(path: string | null): void {
    this.#move(this.#entries.findIndex((entry) => entry.path === path));
  }

  /** Draws the entries that are visible at the present scroll position. */
  render(): void {
    const { scrollTop, clientHeight } = this.#list;
    const first = Math.max(0, Math.floor(scrollTop / ENTRY_PX) - MARGIN);
    const last = Math.ceil((scrollTop + clientHeight) / ENTRY_PX) + MARGIN;
    const now = Date.now();
    const shown = this.#entries.slice(first, last);
    this.#spacer.style.height = `${this.#entries.length * ENTRY_PX}px`;
    this.#list.replaceChildren(
      this.#spacer,
      ...shown.map((entry, index) => this.#option(entry, first + index, now)),
    );
    if (last > this.#entries.length - NEAR_END) this.listener.onEnd();
  }

  #option(entry: ClientFile, index: number, now: number): HTMLElement {
    const option = cloneOf("folder-entry");
    option.id = `entry-${index}`;
    option.dataset["index"] = String(index);
    option.dataset["type"] = entry.type;
    option.style.top = `${index * ENTRY_PX}px`;
    option.ariaPosInSet = String(index + 1);
    option.ariaSetSize = String(this.#entries.length);
    option.ariaSelected = String(this.isTicked(entry.path));
    option.classList.toggle("active", index === this.#activeIndex);
    const name = visible(entry.name);
    setText(find(option, ".entry-name", HTMLElement), name);
    option.title = name;
    const size = entry.size === null ? "folder" : formatSize(entry.size);
    setText(find(option, ".entry-size", HTMLElement), size);
    setText(find(option, ".entry-time", HTMLElement), formatWhen(entry.modified_at, now));
    return option;
  }

  /** Handles a key. @returns false if the list has no use for the key */
  #handleKey(key: string): boolean {
    const entry = this.#entries[this.#activeIndex];
    const to = this.#placeOf(key);
    if (to !== null) this.#move(to);
    else if (key === " " && entry) this.#tick(entry);
    else if (key === "Enter" && entry) this.#choose(entry);
    else if (key === "ArrowRight" && entry?.type === "folder") this.listener.onOpen(entry);
    else if (key === "Backspace" || key === "ArrowLeft") this.listener.onUp();
    else if ([...key].length === 1 && key !== " ") this.#typeLetter(key);
    else return false;
    return true;
  }

  /** Returns the index of the entry to which a key moves the selection; null if the key does not move it. */
  #placeOf(key: string): number | null {
    const last = this.#entries.length - 1;
    const page = Math.max(1, Math.floor(this.#list.clientHeight / ENTRY_PX) - 1);
    const places: Record<string, number> = {
      ArrowDown: this.#activeIndex + 1,
      ArrowUp: this.#activeIndex - 1,
      PageDown: this.#activeIndex + page,
      PageUp: this.#activeIndex - page,
      Home: 0,
      End: last,
    };
    const to = places[key];
    return to === undefined ? null : Math.min(last, Math.max(0, to));
  }

  #isTyping(): boolean {
    return this.#typed !== "" && Date.now() - this.#typedAt < TYPING_MS;
  }

  #typeLetter(letter: string): void {
    this.#typed = (this.#isTyping() ? this.#typed : "") + letter.toLowerCase();
    this.#typedAt = Date.now();
    const startsWithTyped = ({ name }: ClientFile) => name.toLowerCase().startsWith(this.#typed);
    const index = this.#entries.findIndex(startsWithTyped);
    if (index >= 0) this.#move(index);
  }

  /**
   * Selects an entry and scrolls to it.
   * @param to index of the entry; an index outside the list selects the nearest entry
   */
  #move(to: number): void {
    this.#activeIndex = Math.min(Math.max(to, 0), this.#entries.length - 1);
    const top = this.#activeIndex * ENTRY_PX;
    const { scrollTop, clientHeight } = this.#list;
    this.#spacer.style.height = `${this.#entries.length * ENTRY_PX}px`;
    if (top < scrollTop) this.#list.scrollTop = top;
    else if (top + ENTRY_PX > scrollTop + clientHeight) {
      this.#list.scrollTop = top + ENTRY_PX - clientHeight;
    }
    this.render();
    if (this.#activeIndex < 0) this.#list.removeAttribute("aria-activedescendant");
    else this.#list.setAttribute("aria-activedescendant", `entry-${this.#activeIndex}`);
  }

  #click(target: EventTarget | null): void {
    const option = target instanceof Element ? target.closest<HTMLElement>(".entry") : null;
    const index = Number(option?.dataset["index"] ?? -1);
    const entry = this.#entries[index];
    if (!entry || !(target instanceof Element)) return;
    const isOnTick = target.closest(".tick") !== null;
    this.#move(index);
    if (isOnTick) this.#tick(entry);
    else this.#choose(entry);
  }

  #choose(entry: ClientFile): void {
    if (entry.type === "folder") this.listener.onOpen(entry);
    else this.#tick(entry);
  }

  #tick(entry: ClientFile): void {
    this.listener.onTick(entry);
    this.render();
  }
}
