// A way from optuna-dashboard, which draws its page itself, to ours: to the same study where one is open.
"use strict";
const link = document.createElement("a");
link.id = "marsearch-board";
link.textContent = "Leaderboard";
Object.assign(link.style, {
  position: "fixed", right: "24px", bottom: "24px", zIndex: 1200, padding: "8px 20px", borderRadius: "24px",
  background: "#2196f3", color: "#ffffff", font: "500 14px Roboto, Helvetica, Arial, sans-serif",
  textDecoration: "none", boxShadow: "0 3px 5px -1px rgba(0,0,0,.2), 0 6px 10px 0 rgba(0,0,0,.14)",
});
function aim() {
  const study = location.pathname.match(/^\/dashboard\/studies\/(\d+)/);
  link.href = study ? `/board/${study[1]}` : "/board";
}
for (const moment of ["pointerenter", "focus", "pointerdown"]) link.addEventListener(moment, aim);
aim();
document.body.append(link);
