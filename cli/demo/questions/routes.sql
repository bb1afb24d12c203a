SELECT country, origin_country, transport, count(*) AS seizures, sum(quantity) AS mass
FROM seizures
WHERE drug = 'Methamphetamine' AND destination_country = 'kr' AND fiscal_year = 2022
GROUP BY country, origin_country, transport
ORDER BY country, seizures DESC NULLS LAST, transport, origin_country
