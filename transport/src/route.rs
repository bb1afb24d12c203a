//! What a server can be asked for.

/// A method and a path; each server lists its own in `pub const ROUTES: &[Route]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The HTTP method, in capitals.
    pub method: &'static str,
    /// The path, from `/`.
    pub path: &'static str,
}

impl Route {
    /// Whether a request is for this route.
    pub fn is(&self, method: &http::Method, path: &str) -> bool {
        self.method == method.as_str() && self.path == path
    }
}

#[cfg(test)]
mod tests {
    use super::Route;

    #[test]
    fn a_route_is_one_method_and_one_path() {
        let route = Route { method: "POST", path: "/v1/questions" };
        assert!(route.is(&http::Method::POST, "/v1/questions"));
        assert!(!route.is(&http::Method::GET, "/v1/questions"));
        assert!(!route.is(&http::Method::POST, "/v1/questions/"));
    }
}
