/** Returns the element with an id. @throws Error if there is none, or it is not of the class `kind` */
export function byId<E extends Element>(id: string, kind: new () => E): E {
  const element = document.getElementById(id);
  if (element instanceof kind) return element;
  throw new Error(`the page has no ${kind.name} "${id}"`);
}

/**
 * Returns the first element below `parent` that matches a selector.
 * @throws Error if there is none, or it is not of the class `kind`
 */
export function find<E extends Element>(
  parent: ParentNode,
  selector: string,
  kind: new () => E,
): E {
  const element = parent.querySelector(selector);
  if (element instanceof kind) return element;
  throw new Error(`there is no ${kind.name} "${selector}"`);
}

/** Returns a new copy of the element in an HTML template. */
export function cloneOf(templateId: string): HTMLElement {
  const { content } = byId(templateId, HTMLTemplateElement);
  const element = content.firstElementChild?.cloneNode(true);
  if (element instanceof HTMLElement) return element;
  throw new Error(`the template "${templateId}" is empty`);
}

/** Sets the text of an element, never as HTML. Does nothing if the element has this text already. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Makes a list of elements the only children of a parent, in this order. Elements that are in place already
 * are not moved, as a move would take the focus away from them.
 */
export function arrange(parent: Element, elements: Element[]): void {
  const kept = new Set(elements);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  let at = parent.firstElementChild;
  for (const element of elements) {
    if (element === at) at = at.nextElementSibling;
    else parent.insertBefore(element, at);
  }
}

/**
 * Shows a moment as text, with the exact time as the tooltip.
 * @param time ISO 8601
 * @param text as in "5 min. ago"
 */
export function setTime(element: HTMLTimeElement, time: string, text: string): void {
  if (element.dateTime !== time) {
    element.dateTime = time;
    element.title = new Date(time).toLocaleString();
  }
  setText(element, text);
}

/**
 * Runs `move`, which moves elements. Then gives the focus back to the element that had it before, if that
 * element is still visible.
 */
export function keepingFocus(move: () => void): void {
  const focused = document.activeElement;
  move();
  if (!(focused instanceof HTMLElement) || focused === document.activeElement) return;
  if (focused.checkVisibility()) focused.focus({ preventScroll: true });
}

/** Moves the focus to a part of the page, and scrolls to it if necessary. */
export function moveFocusTo(id: string): void {
  const part = byId(id, HTMLElement);
  part.focus({ preventScroll: true });
  const { top } = part.getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) part.scrollIntoView();
}
