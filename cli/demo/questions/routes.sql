SELECT country, origin_country, transport, count(*) AS seizures, sum(quantity) AS mass
FROM seizures
WHERE drug = 'Methamphetamine' AND fiscal_year = 2022
GROUP BY country, origin_country, transport
ORDER BY country, seizures DESC, origin_country, transport
