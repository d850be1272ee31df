// Runs only in browsers too old for JavaScript modules, so it is written for them.
(function () {
  var status = document.getElementById('status');
  status.setAttribute('data-state', 'unsupported');
  document.documentElement.setAttribute('data-state', 'unsupported');
  status.textContent = 'Not supported. This browser is too old to help: a current Firefox, Chrome, Edge or Safari can.';
})();
