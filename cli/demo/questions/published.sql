SELECT drug, count(*) AS seizures, sum(quantity) AS mass
FROM seizures
GROUP BY drug
ORDER BY seizures DESC NULLS LAST, drug
