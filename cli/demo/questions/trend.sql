SELECT fiscal_year, drug, count(*) AS seizures
FROM seizures
WHERE drug IN ('Fentanyl', 'Ketamine', 'Methamphetamine') AND fiscal_year BETWEEN 2019 AND 2023
GROUP BY fiscal_year, drug
ORDER BY drug, fiscal_year
