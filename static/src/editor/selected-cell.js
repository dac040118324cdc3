// What the side panel says about the selected cell or cells.
import { areaOf, extentsOf } from "./geometry.js";
import { nameOf } from "./cell-list.js";

export function showSelected(target, cells, scheme, size) {
  const title = target.querySelector("[data-title]");
  const facts = target.querySelector("[data-facts]");
  target.dataset.status = cells.length === 1 ? cells[0].status : "";
  if (cells.length === 0) {
    title.textContent = "No cell selected";
    facts.textContent = "";
  } else if (cells.length === 1) {
    const [cell] = cells;
    title.textContent = nameOf(cell, scheme);
    const kind = cell.border.kind[0].toUpperCase() + cell.border.kind.slice(1);
    facts.textContent = `${kind}, ${size.pair(extentsOf(cell.border))}, ${size.area(areaOf(cell.border))}`;
  } else {
    const proposals = cells.filter((cell) => cell.status === "proposed").length;
    title.textContent = `${cells.length} cells selected`;
    facts.textContent = proposals ? `${proposals} of them proposals` : "";
  }
}
