SELECT fiscal_year, drug, count(*) AS seizures
FROM seizures
WHERE drug IN ('Fentanyl', 'Ketamine', 'Methamphetamine')
GROUP BY fiscal_year, drug
ORDER BY drug, fiscal_year
