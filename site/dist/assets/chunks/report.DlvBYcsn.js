const s="/assets/report.BwYpHWMt.png";export{s as _};
