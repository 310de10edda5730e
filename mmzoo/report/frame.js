"use strict";
const page = JSON.parse(document.getElementById("content").textContent);
const make = (tag, parent, text) => {
  const made = document.createElement(tag);
  if (text !== undefined && text !== null) made.textContent = text;
  parent.appendChild(made);
  return made;
};
