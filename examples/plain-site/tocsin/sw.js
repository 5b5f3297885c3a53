importScripts("https://alerts.example.com/sw.js");
