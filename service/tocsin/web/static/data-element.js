// <tocsin-data>: what is held on this browser. Few readers ever look, so its parts and words are files of their own.
import { reason, TocsinElement } from "./element.js";

export class DataElement extends TocsinElement {
  files = ["data-words"];

  async load() {
    this.make = (await import("./tocsin-data.js")).dataParts;
  }

  build() { return this.make(this, reason); }

  show() { this.fill(); }
}
